"""Figures of recordings, runs and piano rolls.

In: arrays and curves. Out: PNG files. Imports `pipeline.features` and below.
"""
