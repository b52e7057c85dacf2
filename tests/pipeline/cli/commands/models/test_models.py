"""`wavecast models`: the champion is chosen, kept and explained from the command line."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import Run
from tests.helpers.contests import contend, contest_config, write_voices

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.mark.slow
def test_a_champion_is_chosen_rolled_back_and_unpinned_with_reasons(wavecast: Run, tmp_path: Path) -> None:
    config = contest_config(write_voices(tmp_path / "voices", seconds=0.1))
    contend(config, 4)
    contend(config, 2)
    done = wavecast("models", "promote", "1")
    assert (done.code, done.out) == (
        0,
        "wavecast/1 is the champion, pinned until `wavecast models unpin`\n",
    )
    assert done.error.startswith(
        "wavecast: warning: a run would not have replaced wavecast/2: it is not better: "
    )
    assert "bits per sample (gain -" in done.error
    assert wavecast("models", "rollback", "--no-pin").out.endswith("wavecast/2 is the champion\n")
    assert wavecast("models", "unpin").out == "wavecast: nothing is pinned\n"
    head, *lines = wavecast("models").out.splitlines()
    shown = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    assert [(each["model"], each["aliases"], each["decision"]) for each in shown] == [
        ("wavecast/2", "champion", "rollback: better"),
        ("wavecast/1", "previous", "by-hand: worse"),
    ]
    events = json.loads(wavecast("models", "history", "--json").out)
    assert [event["action"] for event in events] == ["rollback", "by-hand", "promoted", "first"]
    text = wavecast("models", "history").out
    assert "version 1 made champion by hand" in text
    assert "it is the first: " in text


def test_wrong_names_and_numbers_are_answered_with_what_there_is(wavecast: Run, tmp_path: Path) -> None:
    none = wavecast("models", "history")
    assert (none.code, none.error.count("\n")) == (1, 1)
    assert "no model is registered yet" in none.error
    contend(contest_config(write_voices(tmp_path / "voices", seconds=0.1), "name=speech"), 4)
    for arguments, printed in [
        (("promote", "7"), "7: no such model; wavecast-speech has version 1"),
        (("promote", "wavecast-speech/7"), "did you mean 'wavecast-speech'"),
        (("promote", "champoin"), "did you mean 'champion'"),
        (("promote", "1", "--name", "wavecast-speach"), "did you mean 'wavecast-speech'"),
        (("rollback",), "wavecast-speech: there is no previous champion"),
        (
            ("unpin", "--name", "nothing"),
            "nothing: no registered model has this name; there are: wavecast-speech",
        ),
    ]:
        done = wavecast("models", *arguments)
        assert (done.code, done.error.count("\n")) == (1, 1), done.error
        assert printed in done.error
        assert "away" not in done.error
        assert "trained yet" not in done.error
    pinned = wavecast("models", "promote", "1").out
    assert pinned.endswith("pinned until `wavecast models unpin --name wavecast-speech`\n")
