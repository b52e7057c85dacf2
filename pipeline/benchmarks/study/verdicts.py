"""What the study shows, in sentences: units against published figures and one another, and their progress."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pipeline.benchmarks.study.averages import order, standard_error, text_of
from pipeline.benchmarks.study.published import SHAPES, TABLE_2, Published

TITLES = {"JSB_Chorales": "JSB Chorales", "Piano_midi": "Piano-midi"} | {
    shape.name: f"speech, sequences of {shape.samples:,} samples" for shape in SHAPES
}
NAMES = {"tanh": "tanh", "gru": "GRU", "lstm": "LSTM", "mingru": "minGRU"}
STAND_INS = {shape.name: shape.published for shape in SHAPES}
"""Sets in the shape of published ones that were never released."""


def published_of(name: str) -> Mapping[str, Published]:
    """Return the published figures of a set, or of the one in whose shape it is, by unit."""
    return TABLE_2.get(STAND_INS.get(name, name), {})


def verdicts(name: str, units: Mapping[str, Any]) -> Iterator[str]:
    """Yield what holds for one set, in sentences: units against published figures, then pairs of units.

    Figures of other recordings than the published ones are not compared with these, only their order.

    Args:
        name: of the set.
        units: figures by unit.
    """
    title, published = TITLES.get(name, name), published_of(name)
    for unit, figures in units.items():
        if unit in published and name not in STAND_INS:
            yield f"{title}, {NAMES[unit]}: {_against(figures['test'], published[unit].test)}."
    for first, second in _pairs(name, units):
        ours = order(units[first]["test"], units[second]["test"])
        here = "no difference is shown" if not ours else f"{NAMES[first if ours < 0 else second]} is ahead"
        pair = f"{title}, {NAMES[first]} and {NAMES[second]}: {here}"
        if first not in published or second not in published:
            yield f"{pair}."
            continue
        theirs = published[first].test - published[second].test
        study = "no difference" if not theirs else f"{NAMES[first if theirs < 0 else second]} ahead"
        same = "as in" if (ours > 0) - (ours < 0) == (theirs > 0) - (theirs < 0) else "unlike"
        yield f"{pair}, {same} the study ({study})."


def progress(name: str, units: Mapping[str, Any]) -> Iterator[str]:
    """Yield how fast pairs of units reach the same validation loss, in sentences.

    The loss is the best one of the training that ended highest, so that every training reaches it.

    Args:
        name: of the set.
        units: figures by unit, with the curves of the trainings.
    """
    title = TITLES.get(name, name)
    for pair in _pairs(name, units):
        curves = [units[unit].get("curves", []) for unit in pair]
        if not all(curves):
            continue
        loss = max(min(curve["valid"]) for own in curves for curve in own)
        reached = [[_reached(curve, loss) for curve in own] for own in curves]
        texts, faster = [], []
        for unit, own in zip(pair, reached, strict=True):
            updates, seconds = (statistics.fmean(values) for values in zip(*own, strict=True))
            texts.append(f"{NAMES[unit]} after {updates:,.0f} updates and {seconds:,.0f} s")
        for place, per in enumerate(("update", "second")):
            ours = order(*[[values[place] for values in own] for own in reached])
            ahead = "no difference" if not ours else f"{NAMES[pair[0] if ours < 0 else pair[1]]} ahead"
            faster.append(f"{ahead} per {per}")
        both = " and by ".join(texts)
        yield f"{title}: {loss:.2f} nats in validation are reached by {both}: {', '.join(faster)}."


def _pairs(name: str, units: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the published pairs of units, and the GRU with each other unit that is named here."""
    published = published_of(name)
    known = [unit for unit in units if unit in published]
    others = [unit for unit in units if unit in NAMES and unit not in published]
    beside = [("gru", unit) for unit in others if "gru" in known]
    return [*combinations(known, 2), *beside]


def _against(values: Sequence[float], published: float) -> str:
    mean, error = statistics.fmean(values), standard_error(values) or 0.0
    text = f"{text_of(values)} against {published:.2f}"
    if mean < published:
        return f"{text}, better than published"
    return f"{text}, " + ("as published within the standard error" if mean - error <= published else "worse")


def _reached(curve: Mapping[str, Sequence[float]], loss: float) -> tuple[float, float]:
    """Return the updates and seconds of the first validation with at most a loss, which there is."""
    place = next(index for index, valid in enumerate(curve["valid"]) if valid <= loss)
    return curve["updates"][place], curve["seconds"][place]
