"""Trainings share a process where they have one size and one set of data."""

from pathlib import Path

import pytest

from pipeline.tracking.run_folder import RunFolder
from pipeline.training.together.groups import groups_of
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=6, seconds=0.3, sample_rate=8000)


def run_with(corpus: Path, *settings: str) -> Path:
    return start(config_for(corpus, *settings)).path


def test_a_group_has_one_size_and_at_most_so_many(corpus: Path) -> None:
    seeds = [run_with(corpus, f"train.seed={seed}") for seed in range(5)]
    rate = run_with(corpus, "train.learning_rate=0.1", "model.dropout=0.5", "train.weight_noise=0.1")
    assert groups_of([*seeds, rate], 10) == [[*seeds, rate]]
    assert groups_of([*seeds, rate], 4) == [seeds[:4], [seeds[4], rate]]
    assert groups_of(seeds, 1) == [[run] for run in seeds]
    assert groups_of([], 4) == []


@pytest.mark.parametrize(
    "other",
    [
        "model.cell=lstm",
        "model.hidden_size=25",
        "model.num_layers=2",
        "input.window=30",
        "train.batch_size=5",
        "train.bptt_steps=41",
        "train.state=reset",
        "train.optimizer=adamw",
        "train.loss=discrete",
        "train.precision=bfloat16",
    ],
)
def test_what_computes_otherwise_has_another_group(corpus: Path, other: str) -> None:
    runs = [run_with(corpus), run_with(corpus, other), run_with(corpus, "train.seed=1")]
    assert groups_of(runs, 10) == [[runs[0], runs[2]], [runs[1]]]


@pytest.mark.parametrize("own", ["train.max_minutes=1", "train.start_from=champion"])
def test_a_time_limit_or_another_start_keeps_a_training_alone(corpus: Path, own: str) -> None:
    runs = [run_with(corpus, own, f"train.seed={seed}") for seed in range(2)]
    assert groups_of(runs, 10) == [[run] for run in runs]


def test_other_data_has_another_group(corpus: Path, tmp_path: Path) -> None:
    other = write_noisy_tones(tmp_path / "others", count=7, seconds=0.3, sample_rate=8000)
    runs = [run_with(corpus), run_with(other)]
    assert RunFolder(runs[0]).dataset != RunFolder(runs[1]).dataset
    assert groups_of(runs, 10) == [[run] for run in runs]
