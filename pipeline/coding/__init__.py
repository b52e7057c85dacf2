"""Parts of coding that need no model: a range coder, and which integers occur in a recording.

In: decisions and their probabilities, or the integers of a recording. Out: bytes, and the same again.
Imports `pipeline.audio` and below.
"""
