"""Verdicts follow from means and standard errors."""

import json
import statistics
from typing import Any

from pipeline.benchmarks.study.protocol import standard_error
from pipeline.benchmarks.study.verdicts import NAMES, TITLES, music_tables, verdicts
from tests.conftest import PROJECT_ROOT


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


def test_other_sets_and_units_have_rows_without_published_figures() -> None:
    lines = list(music_tables({"hymns": {"small": figures(3.0, 3.2)}}))
    assert lines[2] == "| hymns | small | 0.01 | 3.10 ± 0.10 | 3.10 ± 0.10 | 3.10 ± 0.10 |  |"
    assert not any(line.startswith("-") for line in lines)


def test_the_page_of_results_has_the_figures_that_were_measured() -> None:
    folder = PROJECT_ROOT / "docs" / "results"
    rows = [line.split("|") for line in (folder / "music.md").read_text().splitlines() if "±" in line]
    shown = {(row[1].strip(), row[2].partition(",")[0].strip()): row for row in rows if len(row) == 9}
    measured = json.loads((folder / "music-study.json").read_text())["music"]
    assert len(shown) == sum(len(units) for units in measured.values())
    for name, units in measured.items():
        for unit, found in units.items():
            row = shown[TITLES.get(name, name), NAMES[unit]]
            means = [statistics.fmean(found[key]) for key in ("test", "test_by_piece", "train")]
            texts = [row[4].replace("*", "").partition("±")[0], row[5], row[6]]
            assert [float(text) for text in texts] == [round(mean, 2) for mean in means]
            assert float(row[4].partition("±")[2]) == round(standard_error(found["test"]) or 0, 2)
            assert float(row[3]) == float(f"{found['settings']['train.learning_rate']:.2g}")
