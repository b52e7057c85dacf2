"""Training from Python: on paths, and on arrays that are written without loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wavecast
from pipeline.data.manifest import read_manifest
from tests.helpers.builders import speakers_folder, tone

SETTINGS = {
    "train.epochs": 1,
    "train.device": "cpu",
    "model.hidden_size": 8,
    "model.mixture_components": 2,
    "input.sample_rate": 8_000,
}


def sounds(count: int = 10) -> dict[str, Any]:
    return {
        f"speaker-{index}/{take}": tone(3_000, 10 * index + take) for index in range(count) for take in (0, 1)
    }


def test_a_model_is_trained_on_arrays_and_predicts_and_is_evaluated(own_data_dir: Path) -> None:
    model = wavecast.train(sounds(), sample_rate=8_000, settings=SETTINGS)
    assert model.folder is not None
    assert model.folder.is_relative_to(own_data_dir)
    assert model.predict(tone(800), 8_000, 0.1).added.shape == (1, 800)
    again = wavecast.train(sounds(), sample_rate=8_000, settings=SETTINGS)
    assert again.folder == model.folder
    figures = wavecast.evaluate(sounds(), model=model, sample_rate=8_000, settings=SETTINGS)
    assert figures["model"]["bits_per_sample"] > 0
    assert figures["recordings"] == 2  # of one speaker


def test_names_group_arrays_and_samples_arrive_as_they_are() -> None:
    dataset = wavecast.prepare(sounds(), sample_rate=8_000, settings=SETTINGS)
    records = read_manifest(dataset.parent / "manifest.jsonl")
    assert {record.group for record in records} == {f"speaker-{index}" for index in range(10)}
    assert all(record.encoding == "PCM_16" and not record.refused for record in records)


def test_a_list_of_arrays_is_grouped_by_recording_and_rates_may_differ() -> None:
    arrays = [(tone(3_000, seed).astype(np.float32) / 32_768, 8_000) for seed in range(9)]
    dataset = wavecast.prepare([*arrays, (tone(6_000), 16_000)], settings=SETTINGS)
    records = read_manifest(dataset.parent / "manifest.jsonl")
    assert len({record.group for record in records}) == 10
    assert sorted(str(record.encoding) for record in records) == [*["FLOAT"] * 9, "PCM_16"]


def test_folders_work_as_on_the_command_line(tmp_path: Path) -> None:
    corpus = speakers_folder(tmp_path / "recordings", samples=1_000)
    one = wavecast.prepare(corpus, settings=SETTINGS)
    assert wavecast.prepare([corpus], settings=SETTINGS) == one


@pytest.mark.parametrize(
    ("recordings", "complaint"),
    [
        ([np.zeros(9)], "000000: give the rate"),
        ({"../a": np.zeros(9)}, "a recording's name is a relative path"),
        ([(np.zeros((2, 2, 2)), 8_000)], "000000: samples must be"),
        ([(np.zeros(9), 8_000, 1)], "a pair"),
    ],
)
def test_what_is_no_corpus_is_answered_in_one_line(recordings: Any, complaint: str) -> None:
    with pytest.raises(wavecast.UserError, match=complaint):
        wavecast.prepare(recordings)


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(wavecast.UserError, match=r"did you mean train\.epochs"):
        wavecast.prepare(sounds(3), sample_rate=8_000, settings={"train.epoch": 3})
