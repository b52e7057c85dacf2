"""The flow that evaluates trained runs."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.pages.run_logs import mistakes_in_a_sentence
from flows.pages.run_names import evaluation_name


@flow(name="evaluate", flow_run_name=evaluation_name)
@mistakes_in_a_sentence
def evaluate_runs(runs: list[Path]) -> list[Path]:
    """Evaluate finished runs, given by their folders; return the paths of their `evaluation.json`."""
    futures = [tasks.evaluate.submit(run) for run in runs]
    return [future.result() for future in futures]
