"""The 16-bit scale on which samples are stored."""

INT16_SCALE = 32_768
"""Full scale of 16-bit audio: sample values are integers divided by this."""
