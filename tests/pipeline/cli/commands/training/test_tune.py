"""`wavecast tune`: mistakes are one line, and a search ends with a table and a registered model."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import Run, refused
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.cli.commands.training.test_train import SETTINGS


def test_a_variant_that_does_not_exist_is_named(wavecast: Run, tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=1, seconds=0.1, sample_rate=8000)
    refused(wavecast("tune", "speech", corpus, "--variant", "grue"), 2, "speech has: tanh, gru, lstm")


def test_a_missing_optuna_is_named_before_anything_is_prepared(
    wavecast: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=1, seconds=0.1, sample_rate=8000)
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    refused(wavecast("tune", corpus), 2, "pip install 'wavecast[tune]'")


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_a_search_prints_a_line_for_each_trial_then_the_table(wavecast: Run, tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.4, sample_rate=8000)
    call = ["tune", corpus, *SETTINGS, "--set", "tuning.trials=1", "--set", "train.epochs=1"]
    done = wavecast(*call)
    assert done.code == 0, done.error
    lines = done.out.splitlines()
    (trial,) = (line for line in lines if line.startswith("trial 1 of 1: train.learning_rate="))
    assert "trained for 1 epoch, " in trial
    assert "1 trial" in done.out
    assert "registered as wavecast/1" in done.out
    facts = json.loads(wavecast(*call, "--json").out)
    assert facts["registered"] == "wavecast/1", "nothing is trained or registered again"
    assert Path(facts["picture"]).is_file()
    assert Path(facts["model"], "config.json").is_file()
