"""Recurrent layers on CPUs in compiled loops: forward and backward, as functions of torch's autograd.

In: a layer's weights, inputs (B, T, D) and states. Out: hidden states (B, T, H), and gradients. A sum's order
depends neither on the number of threads nor on the batch around a row, so neither do the bits of a result.
"""
