"""Free-running prediction: recordings continued, or generated from nothing.

In: a trained model and a recording. Out: continuations, in memory or as files.
Imports `pipeline.evaluation` and below.
"""
