"""Tables of the study in Markdown, made of its figures alone, with the published figures beside."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.benchmarks.study.averages import text_of
from pipeline.benchmarks.study.verdicts import NAMES, STAND_INS, TITLES, progress, published_of, verdicts
from pipeline.config.types import SPLITS

Columns = Mapping[str, Callable[[Mapping[str, Any]], str]]


def _mean(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda figures: text_of(figures[key]) if key in figures else ""


def _rate(figures: Mapping[str, Any]) -> str:
    rate = figures["settings"].get("train.learning_rate")
    return "" if rate is None else f"{rate:.2g}"


def _parameters(figures: Mapping[str, Any]) -> str:
    return f"{figures['parameters']:,}" if "parameters" in figures else ""


MUSIC: Columns = {
    "parameters": _parameters,
    "learning rate": _rate,
    "test": _mean("test"),
    "test, over pieces": _mean("test_by_piece"),
    "training": _mean("train"),
}
SPEECH: Columns = {
    "parameters": _parameters,
    "learning rate": _rate,
    "test": _mean("test"),
    "training": _mean("train"),
    "test, bits per sample": _mean("test_bits"),
}


def study_tables(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a whole report in Markdown.

    Args:
        found: the content of `study.json`.
    """
    for part, heading in (("speech", "Speech"), ("music", "Music")):
        if found.get(part):
            yield f"### {heading}, nats per step\n"
            yield from set_table(found[part], SPEECH if part == "speech" else MUSIC)
            yield ""
            yield from (
                f"- {TITLES.get(name, name)}: {size_text(found['data'][name])}." for name in found[part]
            )
            yield from (f"- {sentence}" for sentence in sentences(found[part]))
            yield ""


def set_table(sets: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    """Yield the lines of a table with a row for each set and unit.

    Args:
        sets: figures by set and unit, see `pipeline.benchmarks.study.protocol.study_sets`.
        columns: by heading, the text of a unit's figures.
    """
    stand_ins = [STAND_INS[name] for name in sets if name in STAND_INS]
    of = f", {' and '.join(stand_ins)}" if stand_ins else ""
    yield f"| set | unit | {' | '.join(columns)} | published{of}: test (training) |"
    yield "|---|---|" + "---:|" * (1 + len(columns))
    for name, units in sets.items():
        published = published_of(name)
        for unit, figures in units.items():
            own = published.get(unit)
            beside = f"{own.test:.2f} ({own.train:.2f})" if own else ""
            cells = [
                TITLES.get(name, name),
                NAMES.get(unit, unit),
                *(text(figures) for text in columns.values()),
            ]
            yield f"| {' | '.join([*cells, beside])} |"


def size_text(data: Mapping[str, Any]) -> str:
    """Return the number of sequences of each split of a set, and of those that are left out of all."""
    train, valid, test = (f"{data['sequences'][split]:,}" for split in SPLITS)
    text = f"{train} sequences train, {valid} validate, {test} test"
    return text + (f"; {data['left_out']:,} are left out, as copies of others" if data["left_out"] else "")


def sentences(sets: Mapping[str, Any]) -> Iterator[str]:
    """Yield the verdicts on all sets, and how fast their units learn."""
    for name, units in sets.items():
        yield from verdicts(name, units)
        yield from progress(name, units)
