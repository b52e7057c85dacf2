"""Synthetic audio for the examples: decaying tones, and a small model that is trained on them."""

import numpy as np
from numpy.typing import NDArray

import wavecast

SAMPLE_RATE = 4_000
SETTINGS = {
    "input.sample_rate": SAMPLE_RATE,
    "model.hidden_size": 16,
    "model.mixture_components": 2,
    "train.epochs": 2,
    "train.device": "cpu",
}


def plucks(seconds: float, seed: int) -> NDArray[np.float32]:
    """Return plucked notes (N,), full scale 1: one every quarter of a second, over a little noise."""
    random = np.random.default_rng(seed)
    count, note = round(seconds * SAMPLE_RATE), SAMPLE_RATE // 4
    time_s = np.arange(note) / SAMPLE_RATE
    notes = [
        0.4 * np.exp(-8 * time_s) * np.sin(2 * np.pi * random.choice([220, 275, 330]) * time_s)
        for _ in range(-(-count // note))
    ]
    return (np.concatenate(notes)[:count] + 0.002 * random.standard_normal(count)).astype(np.float32)


def small_model() -> wavecast.Model:
    """Return a model of plucked notes; the first call trains it, later calls reuse it."""
    corpus = [plucks(2.0, seed) for seed in range(12)]
    return wavecast.train(corpus, sample_rate=SAMPLE_RATE, settings=SETTINGS)
