"""Training layers and generation steps recorded as CUDA graphs, replayed without launch costs.

In: a step as a function of tensors. Out: the same results from a replayed graph.
"""
