"""Reproducible timings and comparisons: `wavecast bench` and `wavecast study`.

In: settings and recordings. Out: tables of ratios and figures. Imports `pipeline.stages` and below.
"""
