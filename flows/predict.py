"""The flow that continues recordings unattended; interactively, use `wavecast predict`."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from pydantic import BaseModel, Field

from flows import tasks
from flows.pages.progress import ProgressBar
from flows.pages.run_logs import mistakes_in_a_sentence, notices_on_page
from flows.pages.run_names import prediction_name
from pipeline.data.corpora.named import find_sources
from pipeline.errors import UserError, one_line
from pipeline.generation.audio_files import continue_file
from pipeline.generation.options import DEFAULT_SECONDS, DEFAULT_TEMPERATURE, SamplingOptions
from pipeline.registry.registry import load

NAMED = 10
"""Most failed recordings that the message names."""


class PredictRequest(BaseModel):
    """Request to continue recordings: the recordings, the model and the output folder."""

    recordings: list[Path]
    """Sound files, and folders that are searched for them."""
    output_folder: Path
    """Folder that receives `NAME-continued.wav` for each; existing files are replaced.

    Of recordings with the same name, all but the first are numbered: `NAME-2-continued.wav`.
    """
    model: str = ""
    """Model folder, runs:/ID/model or models:/NAME@ALIAS; empty means the registered champion."""
    seconds: float = Field(default=DEFAULT_SECONDS, gt=0)
    """Duration of the continuation in seconds."""
    temperature: float = Field(default=DEFAULT_TEMPERATURE, ge=0)
    """Temperature for choosing the mixture component: 1 as predicted, 0 the most likely."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random numbers."""


@task(name="predict", task_run_name="predict {recording.name}", **tasks.UNCACHED)
@mistakes_in_a_sentence
def continue_recording(recording: Path, output: Path, request: PredictRequest) -> Path:
    """Continue one recording; return the path of the result."""
    sampling = SamplingOptions(seed=request.seed, temperature=request.temperature)
    with notices_on_page():
        facts: dict[str, Any] = continue_file(
            lambda: load(request.model, "auto"),
            recording,
            output,
            seconds=request.seconds,
            sampling=sampling,
            overwrite=True,
        )
    return tasks.completed(Path(facts["output"]), f"continued by {request.seconds:g} s: {facts['output']}")


@flow(name="predict", flow_run_name=prediction_name)
@mistakes_in_a_sentence
def continue_recordings(request: PredictRequest) -> list[Path]:
    """Continue each recording; those that cannot be used fail after the others are done.

    Raises:
        UserError: one sentence that names the recordings that failed.
    """
    recordings = find_recordings(request.recordings)
    futures = [
        continue_recording.submit(recording, output, request)
        for recording, output in zip(recordings, place(recordings, request.output_folder), strict=True)
    ]
    bar, states = ProgressBar("predict", "recordings continued"), []
    for future in futures:
        future.wait()
        states.append(future.state)
        bar.show(len(states) / len(futures), at_once=len(states) == len(futures))
    failures = {
        recording: state.result(raise_on_failure=False)
        for recording, state in zip(recordings, states, strict=True)
        if not state.is_completed()
    }
    if failures:
        raise UserError(failure_text(failures, len(recordings)))
    return [future.result() for future in futures]


def find_recordings(named: list[Path]) -> list[Path]:
    """Return the files that are named by files and folders, each once; missing files are kept."""
    found: dict[Path, None] = {}
    for path in named:
        inside = [Path(str(source.path)) for source in find_sources([path])] if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def place(recordings: list[Path], folder: Path) -> list[Path]:
    """Return a path for the continuation of each recording; none is used twice."""
    taken: set[str] = set()
    outputs = []
    for recording in recordings:
        name, number = recording.stem, 1
        while name in taken:
            number += 1
            name = f"{recording.stem}-{number}"
        taken.add(name)
        outputs.append(folder / f"{name}-continued.wav")
    return outputs


def failure_text(failures: dict[Path, Any], total: int) -> str:
    """Return one sentence on the recordings that failed: the first with their reasons, then a count."""
    reasons = []
    for recording, problem in list(failures.items())[:NAMED]:
        reason = str(problem) or type(problem).__name__
        reasons.append(reason if str(recording) in reason else f"{recording}: {reason}")
    more = f"; and {len(failures) - NAMED} more" if len(failures) > NAMED else ""
    return one_line(f"{len(failures)} of {total} recordings failed: {'; '.join(reasons)}{more}")
