"""Constants that the heads in torch, their compiled form and the coder of recordings share.

This module imports nothing, so that code without torch can read them.
"""

MAX_RAW_SCALE = 7.0
"""Largest logarithm of a scale: exp(7) is 1,100 standard deviations of the data, and a sign of divergence."""

POLE_LIMIT = 0.99
"""Radius to which the outermost pole of an unstable linear predictor is moved before samples are drawn."""
