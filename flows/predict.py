"""The flow that continues recordings unattended; interactively, use `wavecast predict`."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from pydantic import BaseModel, Field

from flows import tasks
from pipeline.generation.audio_files import continue_file
from pipeline.generation.options import DEFAULT_SECONDS, DEFAULT_TEMPERATURE, SamplingOptions
from pipeline.registry.registry import load


class PredictRequest(BaseModel):
    """Request to continue recordings: the recordings, the model and the output folder."""

    recordings: list[Path]
    """Sound files."""
    output_folder: Path
    """Folder that receives `NAME-continued.wav` for each; existing files are replaced."""
    model: str = ""
    """Model folder, runs:/ID/model or models:/NAME@ALIAS; empty means the registered champion."""
    seconds: float = Field(default=DEFAULT_SECONDS, gt=0)
    """Duration of the continuation in seconds."""
    temperature: float = Field(default=DEFAULT_TEMPERATURE, ge=0)
    """Temperature for choosing the mixture component: 1 as predicted, 0 the most likely."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random numbers."""


@task(name="predict", **tasks.UNCACHED)
def continue_recording(recording: Path, request: PredictRequest) -> Path:
    """Continue one recording; return the path of the result."""
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
    """Continue each recording; unreadable ones fail after the others are done."""
    futures = [continue_recording.submit(recording, request) for recording in request.recordings]
    return [future.result() for future in futures]
