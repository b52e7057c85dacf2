"""A registered model that was renamed in the store goes on under its new name."""

from pathlib import Path

import pytest

from pipeline.promotion.history import History
from pipeline.promotion.renamed import present_name
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.store import store_uri
from tests.helpers.contests import contend, contest_config, write_voices

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.mark.slow
def test_a_renamed_model_keeps_its_champion_history_and_held_out_recordings(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = contest_config(write_voices(tmp_path / "voices", seconds=0.1))
    assert present_name("wavecast") == "wavecast"
    contend(config, 4)
    connect(store_uri()).rename_registered_model("wavecast", "speech")
    worse = contend(config, 8)
    assert (worse["name"], worse["promoted"], worse["champion"]) == ("speech", False, 1)
    assert "wavecast is now named speech; set tracking.registered_model=speech" in capfd.readouterr().err
    better = contend(config, 2)
    assert (better["name"], better["promoted"]) == ("speech", True)
    assert [event.action for event in History("speech").events()] == ["first", "kept", "promoted"]
    assert History("wavecast").events() == []


@pytest.mark.slow
def test_a_deleted_model_is_not_taken_for_a_renamed_one(tmp_path: Path) -> None:
    config = contest_config(write_voices(tmp_path / "voices", seconds=0.1))
    contend(config, 4)
    connect(store_uri()).delete_registered_model("wavecast")
    again = contend(config, 4)
    assert (again["name"], again["promoted"]) == ("wavecast", True)
    assert again["why"].startswith("there is no champion now: ")
