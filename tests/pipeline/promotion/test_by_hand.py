"""A choice by hand is made with the figures beside it, and holds until its pin is lifted."""

from pathlib import Path

import pytest

from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.promotion.by_hand import promote_by_hand, rollback, unpin
from pipeline.promotion.history import History
from pipeline.registry.registration import champion, list_models, register
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.store import store_uri
from tests.helpers.contests import contend, contest_config, write_voices
from tests.helpers.tracked_runs import add_model, new_run

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return contest_config(write_voices(tmp_path / "voices", seconds=0.1))


def aliases(name: str = "wavecast") -> dict[str, int]:
    """The version of each alias."""
    found = [version for version in list_models() if version["name"] == name]
    return {alias: version["version"] for version in found for alias in version["aliases"]}


def test_a_choice_by_hand_holds_whatever_runs_find_until_it_is_unpinned(config: RunConfig) -> None:
    assert contend(config, 8)["promoted"]
    assert contend(config, 4)["promoted"]
    chosen = promote_by_hand("wavecast", 1)
    assert chosen.decision is not None
    assert (chosen.decision.verdict, chosen.before, chosen.pinned) == ("worse", 2, True)
    assert aliases() == {"champion": 1, "previous": 2}
    assert [found["pinned"] for found in list_models()] == [False, True]
    nothing = contend(config, 4)
    assert (nothing["promoted"], nothing["new"], nothing["champion"]) == (False, False, 1)
    better = contend(config, 2)
    assert (better["promoted"], better["pinned"], better["champion"]) == (False, True, 1)
    assert better["why"].startswith("version 1 is pinned; without the pin: it is better")
    assert not contend(config, 2)["new"]
    assert aliases()["champion"] == 1
    assert unpin("wavecast") == "1"
    assert unpin("wavecast") is None
    assert not contend(config, 4)["new"]  # it was decided before the pin, and nothing is new
    assert contend(config, 2)["promoted"]
    actions = [event.action for event in History("wavecast").events()]
    assert actions == ["first", "promoted", "by-hand", "pinned", "unpinned", "promoted"]


@pytest.mark.slow
def test_a_choice_without_a_pin_holds_until_something_new_is_better(config: RunConfig) -> None:
    contend(config, 8)
    contend(config, 4)
    assert not promote_by_hand("wavecast", 1, pin=False).pinned
    nothing = contend(config, 4)
    assert (nothing["promoted"], nothing["new"], aliases()["champion"]) == (False, False, 1)
    assert contend(config, 2)["promoted"]


def test_a_rollback_returns_to_the_previous_champion_and_a_second_one_undoes_it(config: RunConfig) -> None:
    contend(config, 8)
    with pytest.raises(UserError, match="there is no previous champion"):
        rollback("wavecast")
    contend(config, 4)
    back = rollback("wavecast")
    assert (back.version, back.before, back.pinned) == (1, 2, True)
    assert not contend(config, 4)["promoted"]
    assert aliases() == {"champion": 1, "previous": 2}
    assert rollback("wavecast", pin=False).version == 2
    assert aliases() == {"champion": 2, "previous": 1}
    events = History("wavecast").events()
    assert [event.action for event in events] == ["first", "promoted", "rollback", "rollback"]
    assert all("@" in event.who and event.when.startswith("20") and event.why for event in events)
    note = connect(store_uri()).get_model_version("wavecast", "1")
    assert "This version was made the champion again by hand" in note.description


def test_what_is_not_registered_is_answered_with_what_is(config: RunConfig) -> None:
    with pytest.raises(UserError, match="no model is registered yet"):
        rollback("wavecast")
    contend(config, 8)
    with pytest.raises(UserError, match="wavecast has version 1"):
        promote_by_hand("wavecast", 7)
    with pytest.raises(UserError, match="did you mean 'wavecast'"):
        promote_by_hand("wavecsat", 1)
    with pytest.raises(UserError, match="did you mean 'wavecast'"):
        unpin("wavecsat")
    assert champion("wavecast") is not None


@pytest.mark.slow
def test_a_model_of_unknown_data_is_promoted_by_hand_with_a_warning(config: RunConfig) -> None:
    contend(config, 8)
    stranger = new_run("stranger")
    add_model(stranger, config.input)
    register(stranger, "wavecast")
    chosen = promote_by_hand("wavecast", 2)
    assert chosen.decision is not None
    assert chosen.decision.verdict == "incomparable"
    assert "the recordings that version 2 was trained on are not known here" in chosen.decision.why
    assert aliases()["champion"] == 2


@pytest.mark.slow
def test_an_alias_that_another_program_moved_is_followed_and_noted(config: RunConfig) -> None:
    contend(config, 8)
    contend(config, 4)
    connect(store_uri()).set_registered_model_alias("wavecast", "champion", "1")
    assert contend(config, 2)["promoted"]
    found = History("wavecast").events()[2]
    assert (found.action, found.version) == ("found", 1)
    assert "another program" in found.why
