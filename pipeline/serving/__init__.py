"""Continuation over HTTP: requests as arrays or sound files, their limits, and answers with rate and level.

In: what a client sent, and a trained model. Out: an answer for each recording, as plain values.
Imports `pipeline.generation` and below, neither MLflow nor a web framework.
"""
