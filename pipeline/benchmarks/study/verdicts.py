"""Tables of the study of music, with the published figures beside, and what was reproduced, in sentences."""

import math
import statistics
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from pipeline.benchmarks.study.protocol import standard_error, text_of
from pipeline.benchmarks.study.published import TABLE_2

TITLES = {"JSB_Chorales": "JSB Chorales", "Piano_midi": "Piano-midi"}
NAMES = {"tanh": "tanh", "gru": "GRU", "lstm": "LSTM"}
CERTAIN = 2.0
"""Differences of at least so many standard errors are named as differences."""


def music_tables(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables and verdicts, in Markdown.

    Args:
        found: figures by set and unit, see `pipeline.benchmarks.study.protocol.study_sets`.
    """
    yield "| set | unit | learning rate | test | test, over pieces | training | published: test (training) |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, units in found.items():
        for unit, figures in units.items():
            published = TABLE_2.get(name, {}).get(unit)
            beside = f"{published.test:.2f} ({published.train:.2f})" if published else ""
            rate = figures["settings"].get("train.learning_rate")
            cells = [TITLES.get(name, name), NAMES.get(unit, unit), "" if rate is None else f"{rate:.2g}"]
            cells += [text_of(figures[key]) for key in ("test", "test_by_piece", "train")]
            yield f"| {' | '.join([*cells, beside])} |"
    yield ""
    for name, units in found.items():
        yield from (f"- {sentence}" for sentence in verdicts(name, units))
    yield ""


def verdicts(name: str, units: Mapping[str, Any]) -> Iterator[str]:
    """Yield what holds for one set, in sentences: units against published figures, then pairs of units.

    Args:
        name: of the set.
        units: figures by unit.
    """
    title, published = TITLES.get(name, name), TABLE_2.get(name, {})
    for unit, figures in units.items():
        if unit in published:
            yield f"{title}, {NAMES[unit]}: {_against(figures['test'], published[unit].test)}."
    known = [unit for unit in units if unit in published]
    for first, second in combinations(known, 2):
        ours = _order(units[first]["test"], units[second]["test"])
        theirs = published[first].test - published[second].test
        study = "no difference" if not theirs else f"{NAMES[first if theirs < 0 else second]} ahead"
        here = "no difference is shown" if not ours else f"{NAMES[first if ours < 0 else second]} is ahead"
        same = "as in" if (ours > 0) - (ours < 0) == (theirs > 0) - (theirs < 0) else "unlike"
        yield f"{title}, {NAMES[first]} and {NAMES[second]}: {here}, {same} the study ({study})."


def _against(values: list[float], published: float) -> str:
    mean, error = statistics.fmean(values), standard_error(values) or 0.0
    text = f"{text_of(values)} against {published:.2f}"
    if mean < published:
        return f"{text}, better than published"
    return f"{text}, " + ("as published within the standard error" if mean - error <= published else "worse")


def _order(first: list[float], second: list[float]) -> int:
    """Return -1 where the first is lower, 1 where the second is, 0 where that is not certain."""
    difference = statistics.fmean(first) - statistics.fmean(second)
    error = math.hypot(standard_error(first) or 0.0, standard_error(second) or 0.0)
    if abs(difference) < CERTAIN * error or not error:
        return 0
    return -1 if difference < 0 else 1
