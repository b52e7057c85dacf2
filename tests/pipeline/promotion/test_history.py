"""The history of a champion is only ever added to, and survives a line that was cut short."""

from pipeline.promotion.history import History, comparison_key


def test_events_are_kept_in_order_with_who_and_when() -> None:
    history = History("wavecast")
    assert history.events() == []
    history.append("first", 1, 1, "run-1", "it is the first")
    history.append("kept", 2, 1, "run-1", "it is worse", {"gain": -0.1}, ["key"])
    first, second = History("wavecast").events()
    assert (first.action, second.figures, second.decided) == ("first", {"gain": -0.1}, ("key",))
    assert "@" in first.who
    assert first.when[:2] == "20"
    assert history.decision_on("key") == second
    assert history.decision_on("other") is None


def test_a_champion_is_since_the_event_that_made_it_one() -> None:
    history = History("wavecast")
    made = history.append("first", 1, 1, "run-1", "first")
    history.append("kept", 2, 1, "run-1", "worse")
    assert history.champion_since(1) == made
    promoted = history.append("promoted", 3, 3, "run-3", "better")
    assert history.champion_since(1) is None
    assert history.champion_since(3) == promoted


def test_a_line_that_a_killed_process_left_unfinished_loses_only_itself() -> None:
    history = History("wavecast")
    history.append("first", 1, 1, "run-1", "first")
    with history.path.open("a") as file:
        file.write('{"action": "kept", "vers')
    history.append("promoted", 3, 3, "run-3", "better")
    assert [event.action for event in history.events()] == ["first", "promoted"]


def test_names_and_stores_have_histories_of_their_own() -> None:
    names = ["wavecast", "my model", "..", ".hidden", "a%2Fb", "Ü"]
    histories = [History(name) for name in names] + [History("wavecast", "http://127.0.0.1:5000")]
    assert len({history.path for history in histories}) == len(histories)
    assert len({history.path.parent.parent for history in histories}) == 1


def test_a_comparison_is_another_when_any_part_of_it_is() -> None:
    parts = ("challenger", "champion", "held-out", {"margin": 0.1})
    key = comparison_key(*parts)
    assert key == comparison_key(*parts)
    others = [comparison_key("other", *parts[1:]), comparison_key(*parts[:3], {"margin": 0.2})]
    assert key not in others
