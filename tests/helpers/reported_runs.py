"""Runs as far as their pages go: one that is only written, and one that was trained and evaluated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.audio.write import write_audio
from pipeline.common.files import write_json
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.loading import load_config
from pipeline.config.model import ModelConfig
from pipeline.config.run import RunConfig
from pipeline.evaluation.evaluate import evaluate
from pipeline.plots.figure import new_figure, write_figure
from pipeline.reports.run_artifacts import plot_run
from pipeline.stages import prepare_stage, start_stage
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.loop import train
from tests.helpers.builders import tone
from tests.helpers.sounds import write_noisy_tones

NASTY = '"><img src=x onerror=alert(1)><script>alert(2)<'  # as far as a file's name can go
BASELINES = {"FLAC": {"nats_per_step": None, "bits_per_sample": 8.25}}
KINDS: dict[str, InputConfig] = {
    "waveform": WaveformConfig(sample_rate=8_000),
    "spectrogram": SpectrogramConfig(kind="spectrogram"),
    "piano-roll": PianoRollConfig(kind="piano-roll"),
}


def written_run(kind: str = "waveform", name: str = "tiny", **sections: Any) -> RunFolder:
    """An evaluated run as far as its page goes: settings, figures, and no training."""
    head = "bernoulli" if kind == "piano-roll" else "gaussian_mixture"
    config = RunConfig(
        name=name, input=KINDS[kind], model=ModelConfig.model_validate({"head": head}), **sections
    )
    run = start_run(config, Path("dataset.json"), "0123abcd")
    run.set_status("finished", parameters={"all": 12_345, "recurrent": 999}, device="CPU", summary={})
    exact = isinstance(config.input, WaveformConfig)
    figures = {"nats_per_step": -3.5, "bits_per_sample": 7.5 if exact else None}
    baselines = BASELINES if exact else {"last frame again": {"nats_per_step": 1.25, "bits_per_sample": None}}
    evaluation = {
        "split": "test",
        "recordings": 2,
        "groups": 1,
        "seconds": 4.0,
        "steps": 3200,
        "horizons": {},
    }
    write_json(run.artifacts / "evaluation.json", {**evaluation, "model": figures, "baselines": baselines})
    return run


def add_take(run: RunFolder, name: str, seconds: float = 4.0, sample_rate: int = 8_000) -> np.ndarray:
    """A continued recording among the artifacts, with a picture; returns its samples."""
    samples = tone(round(seconds * sample_rate), sample_rate=sample_rate)
    write_audio(run.artifacts / "sounds" / f"{name}-continued.wav", samples, sample_rate)
    write_figure(new_figure(120), run.artifacts / "pictures" / f"{name}-continued.png")
    return samples


def add_companions(run: RunFolder, name: str, seconds: float = 3.0) -> None:
    """What stands beside a continued recording: how it really goes on, and a second take."""
    sounds, pictures = run.artifacts / "sounds", run.artifacts / "pictures"
    for suffix in ("recording", "continued-2"):
        write_audio(sounds / f"{name}-{suffix}.wav", tone(round(seconds * 8_000)), 8_000)
    write_figure(new_figure(120), pictures / f"{name}-recording.png")


def evaluated_run(folder: Path) -> RunFolder:
    """A run that was trained and evaluated; no server was told."""
    corpus = write_noisy_tones(folder / "tones", count=10, seconds=0.5, sample_rate=8_000)
    chosen = ["input.sample_rate=8000", "corpus.group=recording", "model.hidden_size=8", "train.epochs=2"]
    chosen += ["model.mixture_components=2", "train.device=cpu", "evaluate.horizons=[1,4]"]
    chosen += ["samples.count=1", "samples.context_seconds=0.3", "samples.seconds=0.2"]
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *chosen])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(folder / "data"))
        run = RunFolder(start_stage(config, prepare_stage(config)))
        train(run)
    figures = evaluate(run.model, run.dataset, config.evaluate, "cpu")
    plot_run(run, figures)
    add_take(run, "tones-9", seconds=0.5)
    write_json(run.artifacts / "evaluation.json", figures)
    return run
