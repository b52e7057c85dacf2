"""The gate on models that were really trained: one that learnt something, and others that learnt nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.registry.registration import champion, list_models
from tests.helpers.contests import contest, contest_config, write_voices

WEAK = ("train.epochs=1", "train.learning_rate=1e-9")
STRONG = ("train.epochs=3", "train.learning_rate=1e-2", "train.warmup_updates=5")
FRAMES = (
    "input={kind: spectrogram, sample_rate: 8000, window_length: 200, hop_length: 80, n_fft: 256, n_mels: 8}"
)


@pytest.fixture(scope="module")
def home_with_champion(tmp_path_factory: pytest.TempPathFactory, fresh_store: Path) -> Iterator[Path]:
    """A data home whose champion was trained; the tests of this file share it."""
    home = tmp_path_factory.mktemp("home")
    (home / "mlflow").mkdir()
    shutil.copy(fresh_store, home / "mlflow" / "mlflow.db")
    corpus = write_voices(home / "voices", seconds=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert contest(contest_config(corpus, *STRONG))["promoted"]
    return home


@pytest.fixture
def home(home_with_champion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAVECAST_DATA", str(home_with_champion))
    return home_with_champion


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("setting", "verdict"),
    [
        ("input.sample_rate=4000", "incomparable"),
        (FRAMES, "incomparable"),
        ("input.window=40", "worse"),
        ("input.hop=20", "worse"),
    ],
    ids=["rate", "kind", "window", "hop"],
)
def test_an_untrained_model_that_differs_never_becomes_champion(
    home: Path, setting: str, verdict: str
) -> None:
    result = contest(contest_config(home / "voices", *WEAK, setting))
    held = champion("wavecast")
    assert held is not None
    assert (result["promoted"], result["verdict"], held["version"]) == (False, verdict, 1), result["why"]


@pytest.mark.slow
def test_the_best_variant_of_another_window_and_hop_is_promoted_and_each_has_its_alias(home: Path) -> None:
    """Nats of a step of 20 samples are twice those of 10; bits per sample decide."""
    learnt = "{input.window: 40, input.hop: 20, train.learning_rate: 1e-2, train.epochs: 3}"
    config = contest_config(home / "voices", *WEAK, "name=wide", f"variants={{idle: {{}}, learnt: {learnt}}}")
    result = contest(config)
    assert result["promoted"], result["why"]
    found = [version for version in list_models() if version["name"] == "wavecast-wide"]
    aliases = {alias: version["version"] for version in found for alias in version["aliases"]}
    assert aliases == {"idle": 1, "learnt": 2, "champion": 2}
    again = contest(config)
    assert (again["new"], again["version"]) == (False, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [(), (FRAMES,)], ids=["samples", "frames"])
def test_a_training_that_diverged_is_no_first_champion(home: Path, kind: tuple[str, ...]) -> None:
    """Gradients are clipped, so its weights are finite, and its predictions are anything."""
    name = f"name=wild{len(kind)}"
    config = contest_config(home / "voices", *STRONG, "train.learning_rate=1e30", name, *kind)
    result = contest(config)
    assert (result["promoted"], result["champion"]) == (False, None), result["why"]
    assert result["verdict"] in ("above-stored", "not-finite"), result["why"]
    settled = contest_config(home / "voices", *STRONG, name, *kind)
    after = contest(settled)
    assert (after["promoted"], after["verdict"]) == (True, "first"), after["why"]
