"""Distributions of one step: mixtures of Gaussians, vectors of notes, and their arithmetic.

In: the parameters that a head emits. Out: log-probabilities and samples.
"""
