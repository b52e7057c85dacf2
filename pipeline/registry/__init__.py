"""Registered models: versions, the champion, the form that MLflow serves.

In: run folders, or a reference to a model. Out: registered versions, or a model folder.
Imports `pipeline.generation` and below, and `pipeline.tracking`.
"""
