"""The training loop, its step and its checkpoint.

In: a run folder, which names the data set and the settings. Out: a model folder and the run's journal.
Imports `pipeline.generation` and below, and `pipeline.tracking`.
"""
