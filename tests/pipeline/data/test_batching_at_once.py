"""Small updates are gathered several at once, and are the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.data.batching import batches, carried_plan, whole_plan
from tests.helpers.builders import join_rows, normaliser_of
from tests.pipeline.data.test_batching import WAVEFORM, framing_of, recordings_of


@pytest.mark.parametrize("unscored", [0, 1])
def test_updates_that_are_gathered_at_once_are_those_gathered_alone(
    unscored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = join_rows(recordings_of(WAVEFORM, [2000, 170, 90, 900, 35]))
    framing = replace(framing_of(WAVEFORM), unscored=unscored)
    steps = framing.steps(data.length).numpy()
    for plan in (carried_plan(steps, 2, 40, np.arange(5)[::-1]), whole_plan(steps, 3, 40)):
        monkeypatch.setattr("pipeline.data.batching.LANES_AT_ONCE", 1)
        alone = list(batches(plan, data, framing, normaliser_of(WAVEFORM)))
        monkeypatch.setattr("pipeline.data.batching.LANES_AT_ONCE", 16)
        at_once = list(batches(plan, data, framing, normaliser_of(WAVEFORM)))
        assert len(alone) == len(at_once) == len(plan) > 5
        for one, other in zip(alone, at_once, strict=True):
            for name in ("inputs", "targets", "stored", "mask", "keep", "recording", "distance"):
                first, second = getattr(one, name), getattr(other, name)
                assert first is second is None or torch.equal(first, second), name
            assert one.values == other.values
