"""Recurrent layers on GPUs: all steps of a layer in one Triton kernel, and all steps back in another.

In: a layer, its inputs (B, T, D) and a state on a GPU. Out: what the layer returns, with its gradients.
"""
