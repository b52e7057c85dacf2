"""The flow that trains models."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.pages.run_logs import mistakes_in_a_sentence
from flows.pages.run_names import dated_name
from flows.trainings import train_each
from pipeline.config.run import RunConfig
from pipeline.stages import variants


@flow(name="train", flow_run_name=dated_name)
@mistakes_in_a_sentence
def train_models(config: RunConfig) -> list[Path]:
    """Prepare new recordings, then train each variant; return the models' folders."""
    prepared = tasks.prepare(config, return_state=True)
    dataset = tasks.value_of(prepared)
    names = variants(config)
    models = {}
    for name, _, trained in train_each(config, dataset, names, prepared):
        models[name] = tasks.value_of(trained)
    return [models[name] for name in names]
