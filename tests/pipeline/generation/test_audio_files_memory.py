"""The memory of a continuation does not grow with the recording."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio import spooled
from pipeline.generation.audio_files import continue_file
from pipeline.generation.continuation import JoinOptions
from pipeline.generation.options import SamplingOptions
from tests.helpers.builders import tiny_model, tone


def peak_bytes(folder: Path, seconds: int, own_rate: bool) -> int:
    model = tiny_model(cell="gru", hidden_size=4)
    rate = 2 * model.audio.sample_rate if own_rate else model.audio.sample_rate
    path = folder / f"{seconds}.wav"
    soundfile.write(path, np.tile(tone(rate), seconds), rate)
    tracemalloc.start()
    try:
        continue_file(
            lambda: model,
            path,
            folder / f"{seconds}-continued.wav",
            seconds=0.01,
            sampling=SamplingOptions(),
            join=JoinOptions(crossfade_s=0.01),
            own_rate=own_rate,
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("own_rate", [False, True])
def test_a_recording_ten_times_as_long_takes_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_rate: bool
) -> None:
    monkeypatch.setattr(spooled, "IN_MEMORY_BYTES", 1)
    peak_bytes(tmp_path, 1, own_rate)  # what is made once
    short, long = (peak_bytes(tmp_path, seconds, own_rate) for seconds in (20, 200))
    assert long < short + (1 << 18), (short, long)
