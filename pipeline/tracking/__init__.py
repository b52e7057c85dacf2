"""Run folders, the record of every training, and their copy in MLflow.

In: metrics and files of a run. Out: a run folder, and the same run on a tracking server.
Imports `pipeline.config` and below.
"""
