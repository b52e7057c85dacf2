"""Lossless coding of recordings with the exact probabilities that a model gives to their integers."""
