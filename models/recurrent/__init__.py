"""Recurrent layers: the library's cells, those of Chung et al. (2014), and stacks of them.

In: steps (B, T, D) and a state. Out: hidden states (B, T, H) and the state after them.
"""
