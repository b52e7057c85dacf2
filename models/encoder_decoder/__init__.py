"""An encoder-decoder with attention, behind the same interface as the predictor.

In: steps (B, T, D). Out: distributions of the next steps. Imports the other rooms of `models`.
"""
