"""The servers of scheduled runs, MLflow, Prefect and a worker, as processes that are kept running.

In: the settings of `wavecast up`. Out: running processes, their addresses and their state. They are started
as commands, so nothing of MLflow or Prefect is imported. Imports `pipeline.tracking` and below.
"""
