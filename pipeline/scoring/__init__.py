"""Negative log-likelihood over time, thresholds, and anomalies.

In: a trained model and recordings. Out: bits per sample of files and of windows, tables, plots.
Imports `pipeline.generation` and below; no other application.
"""
