"""Recordings for the tests of decoding, and the reason for which one is refused."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.decode import Samples, read_mono
from pipeline.errors import RecordingRejected

RATE = 16_000
BLOCK = 1 << 16


def noise(count: int, seed: int = 0) -> Samples:
    """Uniform int16 noise with both extremes in it, shape (N,)."""
    samples = np.random.default_rng(seed).integers(-(2**15), 2**15, count, dtype=np.int16)
    samples[:2] = -(2**15), 2**15 - 1
    return samples


def refusal(path: Path, sample_rate: int = RATE) -> str:
    """The reason for which ``path`` is refused, which is one line."""
    with pytest.raises(RecordingRejected) as refused:
        read_mono(path, sample_rate)
    reason = str(refused.value).removeprefix(f"{path}: ")
    assert reason
    assert reason != str(refused.value)
    assert "\n" not in reason
    return reason
