"""Plots and sounds of a run: curves, comparisons, continued recordings."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.write import write_audio
from pipeline.common.files import write_json
from pipeline.config.run import SamplesConfig
from pipeline.config.types import Split
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.evaluation.evaluation_file import TEMPORAL_SENSITIVITY, read_temporal_sensitivity
from pipeline.evaluation.temporal_sensitivity import measure_temporal_sensitivity
from pipeline.generation.context import Rows
from pipeline.generation.engine import free_run
from pipeline.generation.options import SamplingOptions
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import write_midi
from pipeline.plots import runs as plots
from pipeline.plots.horizons import horizon_curves
from pipeline.plots.piano_roll import plot_piano_roll
from pipeline.plots.temporal_sensitivity import plot_temporal_sensitivity
from pipeline.reports.media import CONTINUED, RECORDING
from pipeline.tracking.run_folder import RunFolder

TAKES = 2
"""Continuations of each recording; two show that takes differ."""
HALF_WIDTH_PX = 640
"""Width of plots that are placed side by side."""


def learning_curve(run: RunFolder) -> plots.Curve:
    """Return the learning curve in a run's journal."""
    lines = run.lines()
    trained = [(x["step"], x["metrics"]) for x in lines if "train/nats_per_step" in x["metrics"]]
    valid = [(x["step"], x["metrics"]) for x in lines if "valid/nats_per_step" in x["metrics"]]
    return plots.Curve(
        steps=[step for step, _ in trained],
        train=[found["train/nats_per_step"] for _, found in trained],
        elapsed_s=[found["time/elapsed_s"] for _, found in trained],
        valid_steps=[step for step, _ in valid],
        valid=[found["valid/nats_per_step"] for _, found in valid],
        valid_elapsed_s=[found["time/epoch_end_s"] for _, found in valid],
    )


def plot_run(run: RunFolder, evaluation: dict[str, Any]) -> None:
    """Draw a finished run's plots among its artifacts: learning curve, comparison, temporal sensitivity.

    Args:
        run: the run.
        evaluation: figures of the run and of the baselines.
    """
    variant = run.description()["variant"]
    pictures = run.artifacts / "pictures"
    plots.learning_curve(pictures / "learning_curve.png", {variant: learning_curve(run)}, "nats per step")
    rows, unit = comparison_rows({variant: evaluation})
    plots.comparison(pictures / "comparison.png", rows, unit, [variant])
    if evaluation["horizons"]:
        horizon_curves(pictures / "horizons.png", {variant: evaluation["horizons"]})
    model = load_model(run.model)
    curve = measure_temporal_sensitivity(model, open_dataset(run.dataset, model.input), evaluation["split"])
    write_json(run.artifacts / TEMPORAL_SENSITIVITY, {"gradient_norm": curve, "step_seconds": model.step_s})
    plot_temporal_sensitivity(pictures / "temporal_sensitivity.png", {variant: curve}, model.step_s)


def plot_report(report: Path, runs: dict[str, RunFolder], evaluations: dict[str, dict[str, Any]]) -> None:
    """Draw the curves and figures of several runs side by side.

    Args:
        report: folder of the plots.
        runs: runs by name of the variant.
        evaluations: figures by name of the variant.
    """
    curves = {name: learning_curve(run) for name, run in runs.items()}
    plots.learning_curve(report / "learning_curves.png", curves, "nats per step")
    rows, unit = comparison_rows(evaluations)
    plots.comparison(report / "comparison.png", rows, unit, list(evaluations))
    ahead = {name: found["horizons"] for name, found in evaluations.items() if found["horizons"]}
    if ahead:
        horizon_curves(report / "horizons.png", ahead)
    reaches = {name: read_temporal_sensitivity(run.artifacts) for name, run in runs.items()}
    step_s = next(iter(reaches.values()))["step_seconds"]
    by_distance = {name: found["gradient_norm"] for name, found in reaches.items()}
    plot_temporal_sensitivity(report / "temporal_sensitivity.png", by_distance, step_s)


def comparison_rows(evaluations: dict[str, dict[str, Any]]) -> tuple[list[tuple[str, float]], str]:
    """Return name and figure of each model and baseline, and the unit: bits per sample if available."""
    first = next(iter(evaluations.values()))
    exact = first["model"]["bits_per_sample"] is not None
    figure = "bits_per_sample" if exact else "nats_per_step"
    rows = [(name, found["model"][figure]) for name, found in evaluations.items()]
    rows += [(name, found[figure]) for name, found in first["baselines"].items() if found[figure] is not None]
    return rows, "bits per sample" if exact else "nats per frame"


def write_sample_continuations(run: RunFolder, config: SamplesConfig, split: Split) -> list[Path]:
    """Write continuations of held-out recordings, and the recordings' own continuations.

    For each recording NAME, the folder `sounds` receives the model's takes, `NAME-continued` and
    `NAME-continued-2`. It also receives `NAME-recording`, the recording's own continuation, if the recording
    is long enough. The folder `pictures` receives plots of the first take and of the recording.

    Args:
        run: the run.
        config: section `samples`.
        split: the split whose recordings are continued.

    Returns:
        The paths of the sounds (MIDI files of a model of notes).
    """
    if not config.count:
        return []
    model = load_model(run.model)
    dataset = open_dataset(run.dataset, model.input)
    chosen = dataset.require(split)
    picked = chosen[np.linspace(0, len(chosen) - 1, min(config.count, len(chosen))).astype(int)]
    return [path for index in picked for path in _continue(run, model, dataset, int(index), config)]


def _continue(
    run: RunFolder, model: TrainedModel, dataset: Dataset, index: int, config: SamplesConfig
) -> list[Path]:
    row_rate = model.row_rate_hz
    rows = dataset.recording_rows(index).numpy()
    context, count = rows[: round(config.context_seconds * row_rate)], round(config.seconds * row_rate)
    sampling = SamplingOptions(TAKES, index, config.temperature, config.noise_scale)
    takes = free_run(model, context, sampling).take(count)
    true = rows[len(context) : len(context) + count]
    name = dataset.name(index)
    show = _show_sound if model.representation.notes is None else _show_notes
    paths = []
    for suffix, title, after, pictured in (
        (CONTINUED, "model's continuation", takes[0], True),
        *((f"{CONTINUED}-{take + 1}", "", takes[take], False) for take in range(1, TAKES)),
        (RECORDING, "recording", true, True),
    ):
        if len(after):
            drawn = f"{name}: {title}" if pictured else None
            paths.append(show(run, model, context, after, f"{name}-{suffix}", drawn))
    return paths


def _show_notes(
    run: RunFolder, model: TrainedModel, context: Rows, after: Rows, name: str, title: str | None
) -> Path:
    notes = model.representation.notes
    assert notes is not None
    roll, rate_hz = np.concatenate([context, after]), model.row_rate_hz
    path = run.artifacts / "sounds" / f"{name}.mid"
    write_midi(path, roll, notes.steps_per_quarter, notes.quarters_per_minute, overwrite=True)
    if title is not None:
        picture = run.artifacts / "pictures" / f"{name}.png"
        plot_piano_roll(picture, roll, rate_hz, len(context) / rate_hz, title)
    return path


def _show_sound(
    run: RunFolder, model: TrainedModel, context: Rows, after: Rows, name: str, title: str | None
) -> Path:
    audio, seam_s = model.audio, len(context) / model.row_rate_hz
    pictures = run.artifacts / "pictures"
    if title is not None and not audio.rows_are_samples:
        frames = np.concatenate([context, after]).astype(np.float32)
        picture = pictures / f"{name.removesuffix(f'-{CONTINUED}')}-frames.png"
        plots.spectrogram_frames_picture(picture, frames, model.row_rate_hz, seam_s, title)
    sound = np.concatenate([audio.samples_of(context, seed=0), audio.samples_after(context, after, seed=0)])
    path = run.artifacts / "sounds" / f"{name}.wav"
    write_audio(path, sound, audio.sample_rate, overwrite=True)
    if title is not None:
        picture = pictures / f"{name}.png"
        plots.plot_recording(picture, sound, audio.sample_rate, seam_s, title, HALF_WIDTH_PX)
    return path
