"""The flow that prepares recordings."""

from pathlib import Path

from prefect import flow

from flows import tasks
from pipeline.config.run import RunConfig


@flow(name="prepare")
def prepare_corpus(config: RunConfig) -> Path:
    """Prepare the corpus; return the data set's path."""
    return tasks.prepare(config)
