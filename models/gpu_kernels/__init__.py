"""Kernels for GPUs in Triton, which are imported only where one is used.

In: tensors on a GPU. Out: batches, losses of heads with their gradients, changes of weights, and the decision
about an update, each in one launch.
"""
