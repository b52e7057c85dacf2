"""Likelihoods on held-out recordings, compared with baselines.

In: a model folder and a prepared data set. Out: nats per step and bits per sample of model and baselines.
Imports `pipeline.model` and below.
"""
