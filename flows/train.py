"""A data set to trained models."""

from pathlib import Path

from prefect import flow

from flows import tasks
from pipeline.config.run import RunConfig
from pipeline.stages import start_stage, variants


@flow(name="train")
def train_models(config: RunConfig) -> list[Path]:
    """Prepare what is new, then train each variant; returns the models' folders."""
    dataset = tasks.prepare(config)
    return [tasks.train(start_stage(config, dataset, variant)) for variant in variants(config)]
