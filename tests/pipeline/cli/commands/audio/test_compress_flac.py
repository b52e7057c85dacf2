"""`wavecast compress` reports when FLAC would be smaller."""

import json
from pathlib import Path

import numpy as np

from pipeline.compression.pcm_files import examine, flac_size
from tests.helpers.builders import noise, tone, write_sound
from tests.helpers.cli import Run


def test_flac_that_is_smaller_is_reported(wavecast: Run, sound_model: Path, tmp_path: Path) -> None:
    """An untrained model predicts a pure tone worse than FLAC's linear predictor does."""
    sound = write_sound(tmp_path / "tone.wav", tone(8_000))
    done = wavecast("compress", sound, "-o", tmp_path / "x.wcz", "-m", sound_model)
    assert "FLAC would be" in done.out
    facts = json.loads(wavecast("compress", sound, "-o", tmp_path / "y.wcz", "-m", sound_model, "--json").out)
    assert facts["flac_bytes"] < facts["bytes"]


def test_the_size_is_that_of_a_flac_file(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "noise.wav", noise(8_000))
    size = flac_size(sound, examine(sound))
    assert size is not None
    assert abs(size - write_sound(tmp_path / "noise.flac", noise(8_000)).stat().st_size) < 200
    stereo = write_sound(tmp_path / "many.wav", np.stack([tone(800)] * 9, 1))
    assert flac_size(stereo, examine(stereo)) is None
