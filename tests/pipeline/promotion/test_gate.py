"""The champion changes hands for a model that is shown to be better, and for nothing else."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.run import RunConfig
from pipeline.promotion.by_hand import promote_by_hand
from pipeline.promotion.gate import promote
from pipeline.promotion.history import History
from pipeline.registry.registration import champion, list_models
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.pages.run_page import plain
from pipeline.tracking.store import store_uri
from tests.helpers.contests import contend, contest_config, made, write_voices

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_voices(tmp_path / "voices", seconds=0.1)


@pytest.fixture
def config(corpus: Path) -> RunConfig:
    return contest_config(corpus)


def champion_version(name: str = "wavecast") -> int:
    held = champion(name)
    assert held is not None
    return int(held["version"])


def frozen_list(home: Path) -> Path:
    (found,) = (home / "promotion" / "wavecast").glob("held-out-*.json")
    return found


def described(version: int) -> Any:
    return connect(store_uri()).get_model_version("wavecast", str(version))


def test_a_better_model_becomes_champion_and_a_weaker_one_does_not(config: RunConfig) -> None:
    first = contend(config, 4)
    assert first["promoted"]
    assert first["why"].startswith("it is the first: ")
    second = contend(config, 2)
    assert second["promoted"], second["why"]
    assert (second["version"], second["champion"], second["verdict"]) == (2, 2, "better")
    figures = second["figures"]
    assert figures["gain"] == pytest.approx(figures["champion_bits"] - figures["bits"])
    assert figures["p_value"] == 0.5 ** figures["groups"]  # better in each group
    aliases = {alias: found["version"] for found in list_models() for alias in found["aliases"]}
    assert aliases == {"champion": 2, "previous": 1}
    third = contend(config, 3)
    assert (third["promoted"], third["verdict"], third["champion"]) == (False, "worse", 2)
    assert champion_version() == 2
    note = described(3)
    assert plain(third["why"]) in note.description
    assert note.tags["wavecast.promotion.outcome"] == "kept"
    assert json.loads(note.tags["wavecast.promotion.figures"])["verdict"] == "worse"
    assert [event.action for event in History("wavecast").events()] == ["first", "promoted", "kept"]


def test_a_run_with_nothing_new_decides_nothing_and_keeps_the_recorded_reason(config: RunConfig) -> None:
    contend(config, 2)
    decided = contend(config, 4)
    before, note = History("wavecast").events(), described(2)
    again = contend(config, 4)
    assert (again["promoted"], again["new"], again["version"]) == (False, False, 2)
    assert decided["why"] in again["why"]
    assert again["decided"] == decided["decided"]
    champions = contend(config, 2)
    assert (champions["promoted"], champions["new"], champions["version"]) == (False, False, 1)
    assert "it is the first" in champions["why"]
    assert History("wavecast").events() == before
    assert described(2).last_updated_timestamp == note.last_updated_timestamp
    rule = config.promotion.model_copy(update={"margin": 0.02})
    assert contend(config.model_copy(update={"promotion": rule}), 4)["new"]


@pytest.mark.slow
def test_models_of_another_corpus_do_not_contend_and_leave_the_held_out_recordings(
    config: RunConfig, tmp_path: Path, own_data_dir: Path
) -> None:
    contend(config, 4)
    frozen = frozen_list(own_data_dir).read_bytes()
    other = write_voices(tmp_path / "other", seconds=0.1, first=100)
    result = contend(contest_config(other), 2)
    assert (result["promoted"], result["verdict"]) == (False, "other-corpus")
    assert frozen_list(own_data_dir).read_bytes() == frozen
    named = contend(contest_config(other, "name=other"), 2)
    assert (named["name"], named["promoted"]) == ("wavecast-other", True)
    assert champion_version() == 1


@pytest.mark.slow
def test_new_groups_are_held_out_once_a_model_with_them_is_champion(config: RunConfig, corpus: Path) -> None:
    groups = contend(config, 4)["figures"]["groups"]
    write_voices(corpus, count=20, seconds=0.1, first=20)
    kept = contend(config, 5)
    assert (kept["promoted"], kept["figures"]["groups"]) == (False, groups)
    promoted = contend(config, 2)
    assert (promoted["promoted"], promoted["figures"]["groups"]) == (True, groups)
    after = contend(config, 3)
    assert (after["promoted"], after["new"]) == (False, True)
    assert after["figures"]["groups"] > groups
    again = contend(config, 3)
    assert not again["new"]


@pytest.mark.slow
def test_too_few_groups_to_decide_grow_with_those_of_challengers(corpus: Path) -> None:
    config = contest_config(corpus, "promotion.fewest_groups=13")
    assert contend(config, 4)["figures"]["groups"] < 13
    write_voices(corpus, count=20, seconds=0.1, first=20)
    result = contend(config, 2)
    assert result["promoted"], result["why"]
    assert result["figures"]["groups"] >= 13


@pytest.mark.slow
def test_few_groups_and_few_minutes_decide_nothing(corpus: Path) -> None:
    contend(contest_config(corpus), 4)
    few = contend(contest_config(corpus, "promotion.fewest_groups=50"), 2)
    assert (few["promoted"], few["verdict"]) == (False, "too-little")
    short = contend(contest_config(corpus, "promotion.fewest_minutes=5"), 2)
    assert (short["promoted"], short["verdict"]) == (False, "too-little")
    assert "promotion.fewest_minutes is 5" in short["why"]


@pytest.mark.slow
def test_a_challenger_trained_on_all_that_the_champion_held_out_is_not_promoted(corpus: Path) -> None:
    contend(contest_config(corpus), 4)
    table = corpus.parent / "all.csv"
    paths = sorted(corpus.iterdir())
    table.write_text(
        "path,split\n" + "".join(f"{path},train\n" for path in paths[:-1]) + f"{paths[-1]},valid\n"
    )
    result = contend(contest_config(table), 2)
    assert (result["promoted"], result["verdict"]) == (False, "too-little")
    assert "held-out recordings are left out: a compared model was trained on them" in result["why"]


@pytest.mark.slow
def test_a_champion_whose_files_are_gone_is_not_replaced(config: RunConfig, own_data_dir: Path) -> None:
    contend(config, 4)
    shutil.rmtree(own_data_dir / "mlflow" / "artifacts")
    result = contend(config, 2)
    assert (result["promoted"], result["verdict"], champion_version()) == (False, "incomparable", 1)
    assert "its files are gone from the store" in result["why"]


def test_code_lengths_are_computed_once(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.promotion.compare as compare

    scored = []
    original = compare.recording_bits

    def counted(model: Any, rows: Any) -> Any:
        scored.append(len(rows))
        return original(model, rows)

    monkeypatch.setattr(compare, "recording_bits", counted)
    contend(config, 4)
    contend(config, 3)
    contend(config, 5)
    assert len(scored) == 3


def test_models_without_a_store_are_not_lost(config: RunConfig, away: str) -> None:
    from pipeline.stages import promote_stage

    result = promote_stage(config, [made(config, 2).path])
    assert (result["promoted"], result["version"]) == (False, None)
    assert "unavailable" in result["why"]


def test_a_damaged_list_of_held_out_recordings_promotes_nothing_and_is_the_reason(
    config: RunConfig, own_data_dir: Path
) -> None:
    from pipeline.stages import promote_stage

    contend(config, 4)
    frozen_list(own_data_dir).write_text("{}")
    result = promote_stage(config, [made(config, 2).path])
    assert (result["promoted"], result["verdict"], champion_version()) == (False, "incomparable", 1)
    assert "damaged list of held-out recordings; restore it from a copy" in result["why"]
    frozen_list(own_data_dir).unlink()
    assert promote_stage(config, [made(config, 2).path])["promoted"]


@pytest.mark.slow
def test_a_champion_whose_run_folder_was_deleted_is_still_compared(
    config: RunConfig, own_data_dir: Path
) -> None:
    """Its data set is found by the fingerprint in the model."""
    contend(config, 4)
    (run,) = (own_data_dir / "runs").iterdir()
    shutil.rmtree(run)
    result = contend(config, 2)
    assert result["promoted"], result["why"]


@pytest.mark.slow
def test_after_a_champion_of_another_rate_was_chosen_by_hand_models_of_that_rate_contend(
    corpus: Path,
) -> None:
    contend(contest_config(corpus), 2)
    slower = contest_config(corpus, "input.sample_rate=4000")
    assert contend(slower, 4)["verdict"] == "incomparable"
    promote_by_hand("wavecast", 2, pin=False)
    assert contend(slower, 3)["promoted"]
    assert contend(contest_config(corpus), 1)["verdict"] == "incomparable"


@pytest.mark.slow
def test_several_runs_of_one_configuration_contend_together(config: RunConfig) -> None:
    """The best of the night is chosen; the others carry their own figures."""
    contend(config, 6)
    train = config.train
    runs = [
        made(config.model_copy(update={"train": train.model_copy(update={"seed": seed})}), scale)
        for seed, scale in ((1, 8), (2, 2), (3, 4))
    ]
    result = promote(runs, config)
    assert (result["version"], result["promoted"]) == (3, True), result["why"]
    assert {version: described(version).tags["wavecast.promotion.verdict"] for version in (2, 3, 4)} == {
        2: "worse",
        3: "better",
        4: "better",
    }
    assert not promote(runs, config)["new"]
