"""The template `page.html`, filled in: whatever is put into it is escaped."""

import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.common.text import duration

PACKAGES = ("wavecast", "torch", "numpy")


def render(**facts: Any) -> str:
    """Fill in the template, where all that is put in is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": duration, "figure": _figure, "grouped": "{:,}".format}
    return environment.get_template("page.html").render(
        versions=_versions(), system=platform.platform(terse=True), best=_best, **facts
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _best(rows: Sequence[tuple[str, dict[str, Any]]], figure: str) -> tuple[str, float] | None:
    """Name and figure of the baseline with the lowest one; a limit that is not finite is none."""
    found = [(name, row[figure]) for name, row in rows if row[figure] is not None]
    return min(found, key=lambda each: each[1], default=None)


def _versions() -> dict[str, str]:
    """Of what writes the report; a package that is copied, not installed, does not tell its own."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
