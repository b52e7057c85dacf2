"""The champion changes hands for a model that is shown to be better, and for nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.promotion.gate import promote
from pipeline.promotion.history import History
from pipeline.registry.registration import champion, list_models
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.store import store_uri
from tests.helpers.contests import contest, contest_config, trained, write_voices
from tests.helpers.sounds import write_noisy_tones

pytestmark = pytest.mark.usefixtures("local_store")

WEAK = ("train.epochs=1", "train.learning_rate=1e-9")
STRONG = ("train.epochs=4", "train.learning_rate=1e-2", "train.warmup_updates=5")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_voices(tmp_path / "voices")


def champion_version(name: str = "wavecast") -> int:
    held = champion(name)
    assert held is not None
    return int(held["version"])


def described(version: int) -> Any:
    return connect(store_uri()).get_model_version("wavecast", str(version))


def test_a_better_model_becomes_champion_and_a_weaker_one_does_not(corpus: Path) -> None:
    weak, strong = contest_config(corpus, *WEAK), contest_config(corpus, *STRONG)
    first = contest(weak)
    assert first["promoted"]
    assert first["why"].startswith("it is the first: ")
    second = contest(strong)
    assert second["promoted"], second["why"]
    assert (second["version"], second["champion"], second["verdict"]) == (2, 2, "better")
    figures = second["figures"]
    assert figures["gain"] == pytest.approx(figures["champion_bits"] - figures["bits"])
    assert figures["p_value"] == 0.5 ** figures["groups"]  # better in each group
    aliases = {alias: found["version"] for found in list_models() for alias in found["aliases"]}
    assert aliases == {"champion": 2, "previous": 1}
    third = contest(contest_config(corpus, *WEAK, "train.seed=1"))
    assert (third["promoted"], third["verdict"], third["champion"]) == (False, "worse", 2)
    assert champion_version() == 2
    note = described(3)
    assert third["why"] in note.description
    assert note.tags["wavecast.promotion.outcome"] == "kept"
    assert json.loads(note.tags["wavecast.promotion.figures"])["verdict"] == "worse"
    assert [event.action for event in History("wavecast").events()] == ["first", "promoted", "kept"]


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        (("input.sample_rate=4000",), "incomparable"),
        (
            (
                "input.kind=spectrogram",
                "input.sample_rate=8000",
                "input.window_length=200",
                "input.hop_length=80",
                "input.n_fft=256",
                "input.n_mels=8",
            ),
            "incomparable",
        ),
        (("input.window=40",), "worse"),
        (("input.hop=20",), "worse"),
    ],
    ids=["rate", "kind", "window", "hop"],
)
def test_an_untrained_model_that_differs_never_becomes_champion(
    corpus: Path, settings: tuple[str, ...], verdict: str
) -> None:
    contest(contest_config(corpus, *STRONG))
    result = contest(contest_config(corpus, *WEAK, *settings))
    assert (result["promoted"], result["verdict"], champion_version()) == (False, verdict, 1), result["why"]


def test_a_better_model_of_another_window_and_hop_is_compared_per_sample(corpus: Path) -> None:
    """Nats of a step of 20 samples are twice those of 10; bits per sample decide."""
    contest(contest_config(corpus, *WEAK))
    result = contest(contest_config(corpus, *STRONG, "input.window=40", "input.hop=20"))
    assert result["promoted"], result["why"]


def test_a_run_with_nothing_new_decides_nothing_and_keeps_the_recorded_reason(corpus: Path) -> None:
    weak, strong = contest_config(corpus, *WEAK), contest_config(corpus, *STRONG)
    contest(strong)
    decided = contest(weak)
    before, note = History("wavecast").events(), described(2)
    again = contest(weak)
    assert (again["promoted"], again["new"], again["version"]) == (False, False, 2)
    assert decided["why"] in again["why"]
    assert again["decided"] == decided["decided"]
    champions = contest(strong)
    assert (champions["promoted"], champions["new"], champions["version"]) == (False, False, 1)
    assert "it is the first" in champions["why"]
    assert History("wavecast").events() == before
    assert described(2).last_updated_timestamp == note.last_updated_timestamp
    changed = contest(contest_config(corpus, *WEAK, "promotion.margin=0.02"))
    assert changed["new"]


def test_the_best_of_several_variants_is_promoted_and_each_has_its_alias(corpus: Path) -> None:
    config = contest_config(
        corpus,
        "train.epochs=1",
        "variants={short: {train.learning_rate: 1e-9}, long: {train.learning_rate: 1e-2, train.epochs: 3}}",
    )
    result = contest(config)
    aliases = {alias: found["version"] for found in list_models() for alias in found["aliases"]}
    assert aliases == {"short": 1, "long": 2, "champion": 2}
    assert result["version"] == 2
    again = contest(config)
    assert (again["new"], again["version"]) == (False, 2)


def test_models_of_another_corpus_do_not_contend_and_leave_the_held_out_recordings(
    corpus: Path, tmp_path: Path, own_data_dir: Path
) -> None:
    contest(contest_config(corpus, *WEAK))
    frozen = (own_data_dir / "promotion" / "wavecast" / "held-out.json").read_bytes()
    other = write_noisy_tones(tmp_path / "other", count=20, seconds=0.3, sample_rate=8000, content="noise")
    result = contest(contest_config(other, *STRONG))
    assert (result["promoted"], result["verdict"]) == (False, "other-corpus")
    assert (own_data_dir / "promotion" / "wavecast" / "held-out.json").read_bytes() == frozen
    named = contest(contest_config(other, *STRONG, "name=noise"))
    assert (named["name"], named["promoted"]) == ("wavecast-noise", True)
    assert champion_version() == 1


def test_few_groups_decide_nothing(corpus: Path) -> None:
    contest(contest_config(corpus, *WEAK))
    result = contest(contest_config(corpus, *STRONG, "promotion.fewest_groups=50"))
    assert (result["promoted"], result["verdict"]) == (False, "too-little")
    result = contest(contest_config(corpus, *STRONG, "promotion.fewest_minutes=5"))
    assert (result["promoted"], result["verdict"]) == (False, "too-little")
    assert "promotion.fewest_minutes is 5" in result["why"]


def test_a_champion_whose_files_are_gone_is_not_replaced(corpus: Path, own_data_dir: Path) -> None:
    import shutil

    contest(contest_config(corpus, *WEAK))
    shutil.rmtree(own_data_dir / "mlflow" / "artifacts")
    run = trained(contest_config(corpus, *STRONG))
    result = promote([run], contest_config(corpus, *STRONG))
    assert (result["promoted"], result["verdict"], champion_version()) == (False, "incomparable", 1)
    assert "its files are gone from the store" in result["why"]
