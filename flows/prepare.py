"""The flow that prepares recordings."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.pages.run_logs import mistakes_in_a_sentence
from flows.pages.run_names import dated_name
from pipeline.config.run import RunConfig


@flow(name="prepare", flow_run_name=dated_name)
@mistakes_in_a_sentence
def prepare_corpus(config: RunConfig) -> Path:
    """Prepare the corpus; return the data set's path."""
    return tasks.value_of(tasks.prepare(config, return_state=True))
