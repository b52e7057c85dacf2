"""Recordings to continued recordings, for unattended use; people use `wavecast predict`."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from pydantic import BaseModel, Field

from flows import tasks
from pipeline.generation.audio_files import continue_file
from pipeline.generation.options import DEFAULT_SECONDS, DEFAULT_TEMPERATURE, SamplingOptions
from pipeline.registry.registry import load


class PredictRequest(BaseModel):
    """What is to be continued, with which model, and where the result goes."""

    recordings: list[Path]
    """Sound files."""
    output_folder: Path
    """Receives `NAME-continued.wav` for each; what is there already is replaced."""
    model: str = ""
    """Model folder, runs:/ID/model or models:/NAME@ALIAS; empty means the registered champion."""
    seconds: float = Field(default=DEFAULT_SECONDS, gt=0)
    """How much is added, in seconds."""
    temperature: float = Field(default=DEFAULT_TEMPERATURE, ge=0)
    """Temperature for choosing the mixture component: 1 as predicted, 0 the most likely."""
    seed: int = Field(default=0, ge=0)
    """Another seed gives another continuation."""


@task(name="predict", **tasks.UNCACHED)
def continue_recording(recording: Path, request: PredictRequest) -> Path:
    """Continue one recording; returns the sound's path."""
    output = request.output_folder / f"{recording.stem}-continued.wav"
    sampling = SamplingOptions(seed=request.seed, temperature=request.temperature)
    facts: dict[str, Any] = continue_file(
        lambda: load(request.model, "auto"),
        recording,
        output,
        seconds=request.seconds,
        sampling=sampling,
        overwrite=True,
    )
    return Path(facts["output"])


@flow(name="predict")
def continue_recordings(request: PredictRequest) -> list[Path]:
    """Continue each recording; one that cannot be read fails alone, after the others are done."""
    futures = [continue_recording.submit(recording, request) for recording in request.recordings]
    return [future.result() for future in futures]
