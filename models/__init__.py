"""Networks and distributions: tensors in, tensors or distributions out.

In: tensors of steps (B, T, D). Out: predictions, distributions over the next step, and their likelihoods.
Imports torch, numpy and numba; no files, no settings, nothing of `pipeline` or `flows`.
"""
