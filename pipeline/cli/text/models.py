"""Text output of `wavecast models`: a table on a terminal, tab-separated lines in a pipe."""

import sys
from typing import Any, Literal

from pipeline.errors import printable

COLUMNS = ("model", "variant", "input", "bits", "nats", "aliases", "decision", "run", "created")
WIDE = {"decision": 100, "run": 130}
"""Columns that only a terminal of at least this width shows."""
LONG = ("variant", "aliases", "decision", "run")
"""Columns that are folded where a terminal is narrow."""


def print_models(found: list[dict[str, Any]]) -> None:
    """Print registered models, the newest first.

    `bits` are bits per sample and `nats` nats per step, both on the validation split. `decision` is why the
    version became champion, or why not. A pipe gets all columns in full, separated by tabs; a terminal gets
    what fits its width.
    """
    if not found:
        print("no model is registered yet: run `make demo`, or `wavecast train FOLDER`")
        return
    rows = [[printable(cell) for cell in _cells(version)] for version in found]
    if not sys.stdout.isatty():
        for row in (COLUMNS, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console, table = Console(), Table(box=None, pad_edge=False)
    shown = [name for name in COLUMNS if console.width >= WIDE.get(name, 0)]
    for name in shown:
        justify: Literal["left", "right"] = "right" if name in ("bits", "nats") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name not in LONG)
    for row in rows:
        table.add_row(*(escape(cell) for name, cell in zip(COLUMNS, row, strict=True) if name in shown))
    console.print(table)
    print("bits per sample, nats per step: validation split; more with --json")
    print("decision: `wavecast models history` states the reasons")


def _cells(version: dict[str, Any]) -> tuple[str, ...]:
    rate = version["sample_rate"]
    nats = version["metrics"].get("valid_nats_per_step")
    bits = version["valid_bits_per_sample"]
    return (
        f"{version['name']}/{version['version']}",
        version["variant"],
        f"{version['kind']} {rate / 1000:g} kHz" if rate else version["kind"],
        "" if bits is None else f"{bits:.2f}",
        "" if nats is None else f"{nats:.2f}",
        ", ".join([*version["aliases"], *(["pinned"] if version["pinned"] else [])]),
        _decision(version["promotion"]),
        version["run_name"],
        version["created"][:10],
    )


def _decision(promotion: dict[str, str]) -> str:
    """Return the outcome of the last decision on a version and its reason in a word; empty without one."""
    outcome, verdict = promotion.get("outcome", ""), promotion.get("verdict", "")
    return outcome if outcome in ("", "first", "promoted") else f"{outcome}: {verdict}"
