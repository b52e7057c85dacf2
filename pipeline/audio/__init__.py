"""Sound files to samples and back.

In: any sound file. Out: mono int16 samples at one rate, and the reverse.
Imports `pipeline.config` and below.
"""
