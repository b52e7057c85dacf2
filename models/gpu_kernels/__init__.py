"""Kernels for GPUs in Triton, which are imported only where one is used.

In: tensors on a GPU. Out: what `models.distributions` computes from them, in one launch.
"""
