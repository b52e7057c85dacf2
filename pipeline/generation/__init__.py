"""Free-running prediction: recordings continued, or sound generated without one.

In: a trained model and a recording. Out: continuations, in memory or as files.
Imports `pipeline.evaluation` and below.
"""
