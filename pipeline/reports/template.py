"""Rendering of the template `page.html`; all values are escaped, also marks of the direction of text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.head_kinds import HEADS
from models.recurrent.cells import find_cell
from pipeline.common.text import duration
from pipeline.errors import printable


def render(**facts: Any) -> str:
    """Return the rendered template; all values are escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "span": duration,
        "figure": _figure,
        "grouped": "{:,}".format,
        "cell_label": _cell_label,
        "head_gives": _head_gives,
    }
    return environment.get_template("page.html").render(best=_best, ordered=_ordered, **facts)


def _shown(value: Any) -> Any:
    """Return a value of the page with control characters and direction marks as escapes, except line ends.

    What macros of the template return is kept: it was made of values that this function has seen.
    """
    if type(value) is not str:
        return value
    return "\n".join(map(printable, value.split("\n")))


def _cell_label(name: str) -> str:
    """Return the cell's name in reports; for an unregistered cell, its name in the settings."""
    try:
        return find_cell(name).label
    except ValueError:
        return name


def _head_gives(name: str) -> str:
    """Return a description of the head's output; for an unregistered head, one with its name."""
    return (HEADS[name].gives if name in HEADS else "") or f"the output of the head {name}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _ordered(rows: Sequence[tuple[str, dict[str, Any]]], figure: str) -> list[tuple[str, dict[str, Any]]]:
    """Return rows by their figure, the lowest first; rows without a figure come last."""
    return sorted(rows, key=lambda row: (row[1][figure] is None, row[1][figure] or 0.0))


def _best(rows: Sequence[tuple[str, dict[str, Any]]], figure: str) -> tuple[str, float] | None:
    """Return name and figure of the best baseline; figures that are not finite are ignored."""
    found = [(name, row[figure]) for name, row in rows if row[figure] is not None]
    return min(found, key=lambda each: each[1], default=None)
