"""Verdicts follow from means and standard errors."""

from typing import Any

from pipeline.benchmarks.study.tables import MUSIC, SPEECH, set_table
from pipeline.benchmarks.study.verdicts import progress, verdicts


def figures(*test: float) -> dict[str, Any]:
    lists = {key: list(test) for key in ("test", "test_by_piece", "train")}
    return {"settings": {"train.learning_rate": 0.01}, **lists}


def test_units_are_compared_with_published_figures_and_with_one_another() -> None:
    units = {"tanh": figures(9.2, 9.3, 9.4), "gru": figures(8.5, 8.5, 8.6), "lstm": figures(8.6, 8.6, 8.85)}
    found = list(verdicts("JSB_Chorales", units))
    assert found[0] == "JSB Chorales, tanh: 9.30 ± 0.06 against 9.10, worse."
    assert found[1] == "JSB Chorales, GRU: 8.53 ± 0.03 against 8.54, better than published."
    assert found[2] == "JSB Chorales, LSTM: 8.68 ± 0.08 against 8.67, as published within the standard error."
    assert found[3] == "JSB Chorales, tanh and GRU: GRU is ahead, as in the study (GRU ahead)."
    assert found[5] == "JSB Chorales, GRU and LSTM: no difference is shown, unlike the study (GRU ahead)."


def test_one_seed_shows_no_difference() -> None:
    units = {"tanh": figures(9.0), "gru": figures(5.0)}
    assert "no difference is shown" in list(verdicts("Nottingham", units))[-1]


def test_speech_is_compared_with_the_order_of_the_paper_and_not_with_its_figures() -> None:
    units = {"tanh": figures(2.0, 2.1), "gru": figures(-4.0, -4.1), "mingru": figures(-3.0, -3.1)}
    found = list(verdicts("speech-500", units))
    assert found == [
        "speech, sequences of 500 samples, tanh and GRU: GRU is ahead, as in the study (GRU ahead).",
        "speech, sequences of 500 samples, GRU and minGRU: GRU is ahead.",
    ]


def curve(*valid: float, seconds: float = 1.0) -> dict[str, list[float]]:
    """A validation every 10 updates."""
    places = range(1, len(valid) + 1)
    return {
        "updates": [10.0 * place for place in places],
        "seconds": [seconds * place for place in places],
        "valid": list(valid),
    }


def test_progress_is_the_work_to_the_same_loss() -> None:
    """An LSTM that needs half the updates and exactly the same time as a GRU, twice."""
    units = {
        "gru": {"curves": [curve(9, 8, 7, 6), curve(9, 8, 7, 5)]},
        "lstm": {"curves": [curve(8, 6, 5.5, seconds=2.0), curve(8, 6, 6.5, seconds=2.0)]},
    }
    (found,) = progress("JSB_Chorales", units)
    assert found == (
        "JSB Chorales: 6.00 nats in validation are reached by GRU after 40 updates and 4 s and by LSTM after "
        "20 updates and 4 s: LSTM ahead per update, no difference per second."
    )


def test_figures_of_one_seed_and_figures_without_curves_show_no_progress() -> None:
    alone = {"gru": {"curves": [curve(9, 8)]}, "lstm": {"curves": [curve(8, 7)]}}
    assert "no difference per update" in next(progress("JSB_Chorales", alone))
    assert not list(progress("JSB_Chorales", {"gru": figures(1.0), "lstm": figures(1.0)}))


def test_other_sets_and_units_have_rows_without_published_figures() -> None:
    lines = list(set_table({"hymns": {"small": figures(3.0, 3.2)}}, MUSIC))
    assert lines[2] == "| hymns | small |  | 0.01 | 3.10 ± 0.10 | 3.10 ± 0.10 | 3.10 ± 0.10 |  |"


def test_published_figures_of_other_recordings_are_named_with_their_set() -> None:
    lines = list(set_table({"speech-8000": {"gru": {**figures(0.5), "test_bits": [9.0]}}}, SPEECH))
    assert lines[0].endswith("| published, Ubisoft B: test (training) |")
    assert lines[2].endswith("| 0.50 | 0.50 | 9.00 | 0.88 (0.38) |")
