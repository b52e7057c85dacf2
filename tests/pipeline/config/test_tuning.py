"""The space of a search: distributions are typed, and settings and values are checked when it is read."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config, trial_config
from pipeline.config.tuning import Choices, Integers, LogUniform, Uniform
from tests.helpers.configurations import refusal, written

RATE = "train.learning_rate"


def test_a_space_in_a_file_replaces_the_default_and_single_ranges_add_up(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        extends: base.yaml
        tuning:
          trials: 3
          space:
            model.dropout: {kind: uniform, low: 0.0, high: 0.5}
            model.hidden_size: {kind: integer, low: 8, high: 64, log: true}
        """,
    )
    assert load_config(path).tuning.space == {
        "model.dropout": Uniform(kind="uniform", low=0.0, high=0.5),
        "model.hidden_size": Integers(kind="integer", low=8, high=64, log=True),
    }
    changed = [
        "tuning.space.model.cell={kind: choices, values: [gru, lstm]}",
        f"tuning.space.{RATE}={{kind: log-uniform, low: 1e-4, high: 1e-2}}",
    ]
    assert load_config(path, changed).tuning.space == {
        "model.cell": Choices(kind="choices", values=["gru", "lstm"]),
        RATE: LogUniform(kind="log-uniform", low=1e-4, high=1e-2),
    }


def test_a_trial_is_the_configuration_with_its_values_and_without_a_search() -> None:
    config = load_config(None, ["variants={small: {model.hidden_size: 8}}"])
    trial = trial_config(config, {RATE: 0.125, "model.cell": "lstm"})
    assert (trial.train.learning_rate, trial.model.cell) == (0.125, "lstm")
    assert (trial.tuning.space, trial.variants) == ({}, {})
    assert trial.model_copy(update={"train": config.train, "model": config.model}).input == config.input


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("train.learning_rat: {kind: uniform, low: 0.1, high: 1}", f"did you mean {RATE}?"),
        (f"{RATE}: {{kind: uniform, low: 0, high: 1}}", f"{RATE} = 0.0: Input should be greater than 0"),
        (f"{RATE}: {{kind: uniform, low: 2, high: 1}}", "low = 2 must be below high = 1"),
        (f"{RATE}: {{kind: log-uniform, low: 0, high: 1}}", "low = 0 has no logarithm"),
        ("model.hidden_size: {kind: integer, low: 0, high: 9, log: true}", "low = 0 has no logarithm"),
        ("model.hidden_size: {kind: integer, low: 9, high: 9}", "low = 9 must be below high = 9"),
        ("model.hidden_size: {kind: uniform, low: 8, high: 9}", "8.0: Input should be a valid integer"),
        ("model.cell: {kind: choices, values: [gru, lsm]}", "model.cell = 'lsm'"),
        ("model.cell: {kind: choices, values: [gru, gru]}", "one is named twice"),
        ("model.cell: {kind: choices, values: []}", "at least 1 item"),
        ("model.cell: {kind: choice, values: [gru]}", "'log-uniform', 'uniform', 'integer', 'choices'"),
        ("model.hidden_size: {kind: integer, low: 8, hi: 9}", "hi: unknown key"),
        ("input.hop: {kind: integer, low: 5, high: 9}", "needs the same data, steps and loss"),
        ("corpus.split_seed: {kind: integer, low: 5, high: 9}", "needs the same data, steps and loss"),
        ("train.loss: {kind: choices, values: [density]}", "needs the same data, steps and loss"),
    ],
)
def test_what_cannot_be_searched_is_one_line(space: str, message: str) -> None:
    said = refusal(None, [f"tuning.space={{{space}}}"])
    assert message in said
    assert "\n" not in said
