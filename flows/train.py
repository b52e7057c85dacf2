"""The flow that trains models."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.run_names import dated_name
from pipeline.config.run import RunConfig
from pipeline.stages import start_stage, variants


@flow(name="train", flow_run_name=dated_name)
def train_models(config: RunConfig) -> list[Path]:
    """Prepare new recordings, then train each variant; return the models' folders."""
    dataset = tasks.prepare(config)
    return [tasks.train(start_stage(config, dataset, variant)) for variant in variants(config)]
