"""`wavecast train` and what follows it: the model is registered, found, named, promoted."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import Run, refused
from tests.helpers.sounds import write_noisy_tones

SETTINGS = [
    *("--set", "input.sample_rate=8000", "--set", "corpus.group=recording", "--set", "train.device=cpu"),
    *("--set", "model.hidden_size=16", "--set", "model.mixture_components=2", "--set", "train.epochs=2"),
]


@pytest.mark.usefixtures("local_store")
def test_a_trained_model_is_registered_and_used(wavecast: Run, tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.4, sample_rate=8000)
    trained = wavecast("train", corpus, *SETTINGS, "--set", "train.max_minutes=0.00001", "--no-register")
    assert trained.code == 0, trained.error
    assert "stopped by train.max_minutes" in trained.out
    assert "registered" not in trained.out
    run = Path(trained.out.rpartition("run    ")[2].strip()).name
    sound = sorted(corpus.iterdir())[0]

    def predict(name: str) -> tuple[str, str]:
        call = ["predict", sound, "-o", tmp_path / name, "--seconds", 0.05, "--json"]
        done = wavecast(*call)
        assert done.code == 0, done.error
        return done.error, json.loads(done.out)["model"]

    assert predict("alone.wav") == (f"model: run {run} (not registered)\n", f"run {run} (not registered)")
    assert wavecast("models", "register", run).out == f"{run} is wavecast/1\n"
    again = wavecast("train", "--resume", run)
    assert "registered as wavecast/1" in again.out
    assert f"wavecast/1 (run {run})" in predict("registered.wav")[0]
    refused(wavecast("models", "promote", "7"), 1, "wavecast has version 1")
    promoted = wavecast("models", "promote", run)
    figures, outcome = promoted.out.splitlines()
    assert figures.startswith("it is the first: ")
    assert outcome == "wavecast/1 is the champion, pinned until `wavecast models unpin`"
    assert f"wavecast/1 (champion, run {run})" in predict("champion.wav")[0]
    head, line = wavecast("models").out.splitlines()
    shown = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    assert (shown["model"], shown["aliases"], shown["run"]) == ("wavecast/1", "champion, pinned", run)
    assert 0 < float(shown["bits"]) < 32
