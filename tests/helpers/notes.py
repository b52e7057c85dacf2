"""Notes for tests: rolls drawn from a seed, and what sounds in them."""

import numpy as np

from pipeline.music.midi import KEYS, Roll


def some_roll(steps: int, seed: int = 0, density: float = 0.05) -> Roll:
    return (np.random.default_rng(seed).random((steps, KEYS)) < density).astype(np.uint8)


def sounding(roll: Roll) -> list[list[int]]:
    """MIDI pitches of each step."""
    return [(np.flatnonzero(step) + 21).tolist() for step in roll]
