"""The table of adaptive predictions holds each recording's own steps, and is computed once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.adaptive.step_features import StepFeatures
from pipeline.coding.layout import layout_of
from pipeline.config.inputs import WaveformConfig
from pipeline.data.dataset import SplitRows, split_rows
from pipeline.data.step_table import step_table
from pipeline.evaluation.nll import score
from pipeline.scoring.recordings import score_samples
from tests.helpers.builders import Samples, adaptive_model, dataset_of, join_rows, noise, tone

CONFIG = WaveformConfig(sample_rate=8_000, window=12, hop=7)
MODEL = adaptive_model(CONFIG)
SOUNDS = [tone(300), noise(7), noise(50, 1, 3.0), tone(201, 2) & ~15, np.zeros(60, np.int16)]
UNUSED_BITS = [0, 0, 0, 4]


def of(sounds: list[Samples]) -> SplitRows:
    return join_rows([sound[:, None] for sound in sounds])


def test_stretches_are_parts_of_each_recordings_rows() -> None:
    table = step_table(of(SOUNDS), MODEL.framing)
    for index, sound in enumerate(SOUNDS[:4]):
        rows = StepFeatures(CONFIG.hop, CONFIG.window, UNUSED_BITS[index]).rows(sound)
        for begin in (0, 3, len(rows) - 1):
            (found,) = table.gather(torch.tensor([index]), torch.tensor([begin]), 5).numpy()
            here = rows[begin : begin + 5]
            np.testing.assert_allclose(found[: len(here)], here, rtol=1e-3, atol=1e-4)
            assert not found[len(here) :].any()


def test_no_recording_has_rows_of_zeros() -> None:
    table = step_table(of(SOUNDS), MODEL.framing)
    assert not table.gather(torch.tensor([-1, -1]), torch.tensor([0, 9]), 4).any()


@pytest.mark.parametrize("lanes", [1, 3])
def test_scores_from_the_table_are_those_of_each_recording_by_itself(lanes: int) -> None:
    """The table's numbers are halves of single precision, which leaves small differences."""
    sounds = SOUNDS[:4]
    found = score(
        MODEL.network, of(sounds), MODEL.framing, MODEL.normaliser(), True, lanes=lanes, chunk_steps=9
    )
    assert found.bits is not None
    for index, sound in enumerate(sounds):
        layout = layout_of(16, UNUSED_BITS[index], b"")
        expected = score_samples(MODEL, [sound], layout=layout)
        assert float(found.bits[index]) / len(sound) == pytest.approx(expected.bits_per_sample, abs=0.01)


def test_a_table_is_kept_beside_the_data_set_and_read_again(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, {"train": SOUNDS[:3], "valid": SOUNDS[3:]}, CONFIG)
    data = split_rows(dataset, "train", torch.device("cpu"))
    first = step_table(data, MODEL.framing)
    (path,) = dataset.path.parent.glob("train-steps-*.bin")
    made = path.stat().st_mtime_ns
    again = step_table(split_rows(dataset, "train", torch.device("cpu")), MODEL.framing)
    assert torch.equal(first.rows, again.rows)
    assert path.stat().st_mtime_ns == made
    whole = path.read_bytes()
    path.unlink()  # others still map it
    path.write_bytes(whole[:-2])
    mended = step_table(split_rows(dataset, "train", torch.device("cpu")), MODEL.framing)
    assert torch.equal(first.rows, mended.rows)
    assert [entry.name for entry in dataset.path.parent.iterdir() if entry.name.startswith(".")] == []
