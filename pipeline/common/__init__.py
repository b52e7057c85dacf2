"""What every room may use: files, devices, progress bars.

Imports `pipeline.errors` alone.
"""
