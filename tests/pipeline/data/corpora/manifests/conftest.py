"""A folder of small real recordings that the manifests of these tests name."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 8_000


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return a folder with wavs/a.wav, b.flac, c.wav (two channels), each of two seconds of noise."""
    noise = np.random.default_rng(0).integers(-9_000, 9_000, (2 * RATE, 4), dtype=np.int16)
    folder = tmp_path / "corpus"
    (folder / "wavs").mkdir(parents=True)
    soundfile.write(folder / "wavs/a.wav", noise[:, 0], RATE)
    soundfile.write(folder / "wavs/b.flac", noise[:, 1], RATE)
    soundfile.write(folder / "wavs/c.wav", noise[:, 2:], RATE)
    return folder
