"""The predictor compiled for CPUs, without torch: the same numbers in loops of numba.

In: weights and arrays of samples. Out: hidden states, parameters of mixtures, generated samples.
Imports numpy and numba, never torch, so that `wavecast predict` starts fast.
"""
