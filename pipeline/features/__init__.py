"""Samples in, sequences of rows and steps out: windows, spectrograms, normalisation."""
