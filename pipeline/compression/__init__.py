"""Lossless coding of recordings with a model's exact probabilities.

In: a trained model and integer samples. Out: a `.wcz` file, and the samples again, bit for bit.
Imports `pipeline.generation` and below; no other application.
"""
