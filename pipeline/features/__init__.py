"""Samples to sequences: windows, spectrogram frames, notes, and their normalisation.

In: samples or piano rolls. Out: rows as they are stored, steps (T, D) as a model reads them, and the reverse.
Imports `pipeline.music`, `pipeline.audio` and below.
"""
