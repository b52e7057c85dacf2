"""Timings and comparisons that anyone can repeat: `wavecast bench` and `wavecast study`.

In: settings and recordings. Out: tables of ratios and figures. Imports `pipeline.stages` and below.
"""
