"""Helpers that every package may use: files, devices, progress bars.

Imports `pipeline.errors` alone.
"""
