"""Sequences of the study are stretches of equal length that cover all recordings and keep their splits."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.study.published import SHAPES
from pipeline.benchmarks.study.sequences import cut_sequences, speech_configs, spread_cuts
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.manifest import Part, Recording
from pipeline.errors import UserError
from pipeline.stages import prepare_stage
from tests.helpers.builders import speakers_folder


def recording(samples: int, part: Part | None = None) -> Recording:
    return Recording(path=Path(f"{samples}.wav"), samples=samples, part=part)


def test_fewer_sequences_than_there_are_lie_evenly_over_the_recordings() -> None:
    cuts = spread_cuts([recording(6_099), recording(3_000), recording(50)], 9, 100)
    assert [cut.first_sample for cut in cuts] == [0, 1_000, 2_000, 3_000, 4_000, 5_000, 0, 1_000, 2_000]
    assert [cut.recording.samples for cut in cuts] == [6_099] * 6 + [3_000] * 3


def test_where_there_are_too_few_each_stretch_is_used_once() -> None:
    cuts = spread_cuts([recording(250), recording(100), recording(99)], 1_000, 100)
    assert [(cut.recording.samples, cut.first_sample) for cut in cuts] == [(250, 0), (250, 100), (100, 0)]
    row_of_a_table = Part(file=Path("x.parquet"), row=3)
    assert spread_cuts([recording(300, row_of_a_table)], 10, 100) == []


def prepared(folder: Path) -> tuple[Dataset, Dataset]:
    """The recordings, and their sequences of 500 samples."""
    config = speech_configs(folder, ["input.sample_rate=8000"])["speech-500"]
    cut = cut_sequences(config)
    return open_dataset(prepare_stage(config), config.input), open_dataset(prepare_stage(cut), cut.input)


def test_sequences_are_the_samples_of_the_recordings_in_their_splits(tmp_path: Path) -> None:
    whole, sequences = prepared(speakers_folder(tmp_path / "speech"))
    assert set(sequences.length) == {500}
    assert len(sequences.length) == sum(length // 500 for length in whole.length)
    split_of = dict(zip(whole.group, whole.split, strict=True))
    assert [split_of[group] for group in sequences.group] == sequences.split
    sounds = [whole.recording_rows(index).numpy().ravel() for index in range(len(whole.length))]
    stretches = {sound[start : start + 500].tobytes() for sound in sounds for start in range(0, 2_600, 500)}
    assert all(
        np.asarray(sequences.recording_rows(index)).ravel().tobytes() in stretches
        for index in range(len(sequences.length))
    )


def test_a_chunk_of_training_is_a_whole_sequence(tmp_path: Path) -> None:
    folder = speakers_folder(tmp_path / "speech", speakers=1, recordings=1)
    for shape in SHAPES:
        train = speech_configs(folder, [])[shape.name].train
        assert (train.bptt_steps, train.state) == (shape.samples // 10, "reset")
    assert speech_configs(folder, ["train.batch_size=3"])["speech-500"].train.batch_size == 3


def test_recordings_that_are_too_short_are_one_sentence(tmp_path: Path) -> None:
    configs = speech_configs(speakers_folder(tmp_path / "speech", samples=3_000), ["input.sample_rate=8000"])
    with pytest.raises(UserError, match="no recording has the 8000 samples of a sequence"):
        cut_sequences(configs["speech-8000"])


def test_only_samples_can_be_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sequences are of samples") as printed:
        speech_configs(tmp_path, ["input={kind: piano-roll}", "model.head=bernoulli"])
    assert printed.value.exit_code == 2
