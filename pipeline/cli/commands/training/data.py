"""List public data sets, or fetch them: downloaded, checked and unpacked."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from pipeline.cli.arguments import Json
from pipeline.errors import print_line

EXAMPLES = [
    "data list",
    "data show ljspeech",
    "data fetch librispeech-dev-clean",
    "data fetch jsb nottingham --to corpora",
]
COLUMNS = ("name", "kind", "size", "hours", "licence", "hash", "fetched", "title")
NARROW = frozenset(("name", "kind", "size", "licence", "fetched"))
"""Columns that a terminal of 80 columns has room for."""
WIDE_COLUMNS = 120
data = App(name="data", help=__doc__)
To = Annotated[
    Path | None,
    Parameter(help="Folder that holds a folder for each set (default: public/ of the data folder)."),
]


@data.command(name="list")
def list_sets(*, to: To = None, json: Json = False) -> None:
    """List the public sets: size, licence, the hash that is known, and whether it is fetched."""
    from pipeline.cli.output import emit
    from pipeline.data.public.table import all_sets

    found = [_facts(public, _place(to)) for public in all_sets().values()]
    emit(found, json, lambda: _print_table(found))


@data.command
def show(
    name: Annotated[str, Parameter(help="Name of a set, as in the list.")],
    /,
    *,
    to: To = None,
    json: Json = False,
) -> None:
    """Show one set: addresses, hash, licence, citation, and where these facts were read."""
    from pipeline.cli.output import emit
    from pipeline.data.public.table import find_set

    facts = _facts(find_set(name), _place(to))
    emit(facts, json, lambda: _print_facts(facts))


@data.command
def fetch(
    names: Annotated[tuple[str, ...], Parameter(help="Names of sets, as in the list.")],
    /,
    *,
    to: To = None,
    json: Json = False,
) -> None:
    """Fetch sets into folders: download, check, unpack; an interrupted download is continued."""
    from pipeline.cli.inputs import each_sound
    from pipeline.cli.output import emit
    from pipeline.data.public.contents import top_folder
    from pipeline.data.public.fetch import fetch as fetch_set
    from pipeline.data.public.table import find_set

    chosen = {public.name: public for public in map(find_set, names)}
    fetched, failed = list[dict[str, Any]](), list[str]()

    def work(name: str) -> dict[str, Any]:
        folder, new = fetch_set(chosen[name], _place(to))
        return {"name": name, "folder": str(folder), "corpus": str(top_folder(folder)), "new": new}

    for name, facts in each_sound(list(chosen), work, failed):
        fetched.append(facts)
        if not json:
            print_line(f"{name}  {facts['folder']}{'' if facts['new'] else '  (fetched before)'}")
            print(f"licence: {chosen[name].licence}; `wavecast data show {name}` has the citation")
    if fetched or not failed:
        emit(fetched, json, lambda: _print_next([chosen[one["name"]] for one in fetched], fetched))
    if failed:
        sys.exit(1)


def _place(to: Path | None) -> Path:
    from pipeline.common.files import absolute, expanded
    from pipeline.data.public.fetch import public_data

    return public_data() if to is None else absolute(expanded(to))


def _facts(public: Any, place: Path) -> dict[str, Any]:
    """Return what the table states about a set, and the folder where it is fetched, null where it is not."""
    from pipeline.data.public.fetch import holds_set

    folder = place / public.name
    there = str(folder) if holds_set(public, folder) else None
    return {**public.model_dump(), "checked_by": public.checked_by, "folder": there}


def _print_table(found: list[dict[str, Any]]) -> None:
    """Print the sets: a table on a terminal, lines separated by tabs in a pipe."""
    rows = [_cells(facts) for facts in found]
    if not sys.stdout.isatty():
        for row in (COLUMNS, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    console, table = Console(), Table(box=None, pad_edge=False)
    shown = [name for name in COLUMNS if console.width >= WIDE_COLUMNS or name in NARROW]
    for name in shown:
        table.add_column(
            name, justify="right" if name in ("size", "hours") else "left", no_wrap=name == "name"
        )
    for row in rows:
        table.add_row(*(cell for name, cell in zip(COLUMNS, row, strict=True) if name in shown))
    console.print(table)
    print("`wavecast data fetch NAME` fetches one, `wavecast data show NAME` has its citation")


def _cells(facts: dict[str, Any]) -> tuple[str, ...]:
    from rich.filesize import decimal

    size, hours = facts["bytes"], facts["hours"]
    return (
        facts["name"],
        facts["kind"],
        decimal(size) if size else "unknown",
        f"{hours:g}" if hours else "",
        facts["licence"],
        {"sha256": "SHA-256", "contents": "of contents", "none": "none known"}[facts["checked_by"]],
        "yes" if facts["folder"] else "",
        facts["title"],
    )


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if name in ("at_most_bytes", "unpacked_times"):
            continue
        shown = "\n            ".join(value) if isinstance(value, tuple) else value
        print_line(f"{name:<12}{'unknown' if shown is None and name != 'folder' else shown or 'not fetched'}")


def _print_next(chosen: list[Any], fetched: list[dict[str, Any]]) -> None:
    """Print the commands that use what was fetched: one for all recordings, and one for each set of notes."""
    import shlex

    corpora = [shlex.quote(one["corpus"]) for one in fetched]
    notes = [corpus for public, corpus in zip(chosen, corpora, strict=True) if public.kind == "music"]
    sounds = [corpus for corpus in corpora if corpus not in notes]
    if sounds:
        print_line(f"next: wavecast prepare {' '.join(sounds)}")
    for corpus in notes:
        print_line(f"next: wavecast run music {corpus}")
