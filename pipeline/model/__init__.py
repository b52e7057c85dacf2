"""A network with its settings: built, stored in a folder, loaded.

In: settings, or a model folder. Out: a `TrainedModel`. Imports `pipeline.data` and below, and `models`.
"""
