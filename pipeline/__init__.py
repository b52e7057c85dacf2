"""Recordings to predictions: corpus, data set, training, evaluation, generation, tracking, command line."""
