"""Predictors that adapt to a recording sample by sample, without training: least squares, and mixed experts.

In: integer samples. Out: predictions of the next sample, its exact probabilities, code lengths in bits.
Imports numpy, numba and `models.compiled.simd`; the same bits come out on every machine.
"""
