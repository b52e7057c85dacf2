"""The memory of concealment does not grow with the recording."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio import spooled
from pipeline.concealment.files import GapSource, conceal_file
from pipeline.concealment.methods import filler
from tests.helpers.builders import tone, write_sound

RATE = 8_000


def peak_bytes(folder: Path, seconds: int) -> int:
    second = tone(RATE)
    second[5_000:5_080] = 0
    path = write_sound(folder / f"{seconds}.wav", np.tile(second, seconds))
    tracemalloc.start()
    try:
        found = conceal_file(path, folder / f"{seconds}-filled.wav", GapSource(), filler("repeat"))
        assert found["gaps"] == seconds
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_recording_ten_times_as_long_takes_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled, "IN_MEMORY_BYTES", 1)
    peak_bytes(tmp_path, 1)  # what is made once
    short, long = (peak_bytes(tmp_path, seconds) for seconds in (20, 200))
    assert long < short + (1 << 18), (short, long)
