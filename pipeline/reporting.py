"""What a person would rather look at or listen to: curves, comparisons, continued recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import plots
from pipeline.artifacts import TrainedModel, load_model
from pipeline.audio import to_int16
from pipeline.audio_write import write_audio
from pipeline.config import SamplesConfig, SpectrogramConfig
from pipeline.dataset import Dataset, open_dataset
from pipeline.features import analysis, row_rate_hz
from pipeline.generation import continue_rows, frames_to_samples
from pipeline.run_folder import RunFolder
from pipeline.splits import Split


def learning_curve(run: RunFolder) -> plots.Curve:
    """The curve that a run's journal describes."""
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


def picture_run(run: RunFolder, evaluation: dict[str, Any]) -> None:
    """Draw a finished run's curve, and its figures beside the baselines'."""
    variant = run.description()["variant"]
    pictures = run.artifacts / "pictures"
    plots.learning_curve(pictures / "learning_curve.png", {variant: learning_curve(run)}, "nats per step")
    rows, unit = comparison_rows({variant: evaluation})
    plots.comparison(pictures / "comparison.png", rows, unit)


def comparison_rows(evaluations: dict[str, dict[str, Any]]) -> tuple[list[tuple[str, float]], str]:
    """Name and figure of each model and baseline, and the figure's unit: bits per sample where there are."""
    first = next(iter(evaluations.values()))
    exact = first["model"]["bits_per_sample"] is not None
    figure = "bits_per_sample" if exact else "nats_per_step"
    rows = [(name, found["model"][figure]) for name, found in evaluations.items()]
    rows += [(name, found[figure]) for name, found in first["baselines"].items() if found[figure] is not None]
    return rows, "bits per sample" if exact else "nats per frame"


def listen(run: RunFolder, config: SamplesConfig, split: Split) -> list[Path]:
    """Continue held-out recordings: sounds, and pictures with the seam marked. Returns the sounds' paths."""
    if not config.count:
        return []
    model = load_model(run.model)
    dataset = open_dataset(run.dataset, model.input)
    chosen = dataset.require(split)
    picked = chosen[np.linspace(0, len(chosen) - 1, min(config.count, len(chosen))).astype(int)]
    return [_continue(run, model, dataset, int(index), config) for index in picked]


def _continue(
    run: RunFolder, model: TrainedModel, dataset: Dataset, index: int, config: SamplesConfig
) -> Path:
    rate = model.input.sample_rate
    row_rate = row_rate_hz(model.input)
    heard = dataset.recording_rows(index)[: round(config.prime_seconds * row_rate)]
    count = round(config.seconds * row_rate)
    predicted = continue_rows(model, heard, count, config.temperature, seed=index)
    name = f"{dataset.group[index]}-{Path(dataset.recording[index]).stem}"
    seam_s = len(heard) / row_rate
    if isinstance(model.input, SpectrogramConfig):
        before = analysis(model.input).invert(heard.float(), seed=index).numpy()
        after = frames_to_samples(model.input, heard, predicted, seed=index)
        sound = np.concatenate([to_int16(before), after])
        frames = torch.cat([heard.float(), predicted.float()]).numpy()
        picture = run.artifacts / "pictures" / f"{name}-frames.png"
        plots.spectrogram_frames_picture(picture, frames, row_rate, seam_s, f"{name}: heard, then predicted")
    else:
        sound = torch.cat([heard, predicted])[:, 0].numpy()
    path = run.artifacts / "sounds" / f"{name}-continued.wav"
    write_audio(path, sound, rate, overwrite=True)
    picture = run.artifacts / "pictures" / f"{name}-continued.png"
    plots.recording_picture(picture, sound, rate, seam_s, f"{name}: recording, then continuation")
    return path
