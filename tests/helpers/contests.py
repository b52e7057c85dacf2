"""Runs that contend for a champion: small models, really trained or with weights of known quality."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from scipy.signal import lfilter

from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.data.dataset import open_dataset
from pipeline.model.build import build_network
from pipeline.model.storage import save_model
from pipeline.promotion.gate import promote
from pipeline.stages import prepare_stage, start_stage
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.loop import train

SMALL = [
    "corpus.group=recording",
    "corpus.valid_fraction=0.5",
    "input.sample_rate=8000",
    "model.hidden_size=16",
    "model.mixture_components=2",
    "train.batch_size=4",
    "train.device=cpu",
    "promotion.fewest_minutes=0",
]


def write_voices(folder: Path, count: int = 20, seconds: float = 0.4, first: int = 0) -> Path:
    """Write recordings of low-pass noise at 8 kHz, alike in kind: what is learnt of some holds for others."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        noise = np.random.default_rng(number).standard_normal(round(8000 * seconds))
        sound = 0.02 * lfilter([1.0], [1.0, -1.6, 0.8], noise)
        soundfile.write(folder / f"voice-{number}.wav", sound.clip(-1, 1), 8000)
    return folder


def contest_config(corpus: Path, *settings: str) -> RunConfig:
    """Return the configuration of a small model; half of the recordings are held out."""
    return load_config(None, [f"corpus.inputs=[{corpus}]", *SMALL, *settings])


def trained(config: RunConfig, variant: str = "") -> RunFolder:
    """Prepare the corpus, train a model, and return its run."""
    run = RunFolder(start_stage(config, prepare_stage(config), variant))
    if run.status()["status"] != "finished":
        train(run)
    return run


def made(config: RunConfig, scale: float) -> RunFolder:
    """Return a run with an untrained model whose outputs are ``scale`` times too wide: larger is worse."""
    dataset = prepare_stage(config)
    run = RunFolder(start_stage(config, dataset))
    normal = open_dataset(dataset, config.input).normalisation
    wide = replace(normal, std=tuple(scale * std for std in normal.std))
    torch.manual_seed(0)
    weights = build_network(config.input, config.model, wide).state_dict()
    facts = {"data_fingerprint": run.description()["fingerprint"]}
    save_model(run.model, weights, config.input, config.model, wide, facts)
    run.set_status("finished", summary={"valid_nats_per_step": scale})
    return run


def contend(config: RunConfig, scale: float) -> dict[str, Any]:
    """Let an untrained model of known quality contend for the champion."""
    numbered = config.model_copy(
        update={"train": config.train.model_copy(update={"seed": round(100 * scale)})}
    )
    return promote([made(numbered, scale)], numbered)


def contest(config: RunConfig) -> dict[str, Any]:
    """Train the model of a configuration and let it contend for the champion."""
    return promote([trained(config, name) for name in config.variants or [""]], config)
