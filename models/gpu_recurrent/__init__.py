"""Recurrent layers on GPUs: all steps of a layer in one Triton kernel, and all steps back in another.

In: a layer, its inputs (B, T, D) and a state on a GPU. Out: what the layer returns, with its gradients.
GPU: not measured. The numbers were tested in Triton's interpreter, and the kernels compiled for an H100.
"""
