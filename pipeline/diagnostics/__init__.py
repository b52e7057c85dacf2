"""Examinations of `wavecast doctor`: recordings, data sets, models, runs and the installation.

In: a path or a reference. Out: findings, each a sentence with what to do.
Imports the rooms that it examines, but neither benchmarks nor the command line.
"""
