"""Text output of a search: a line for each trial, and the table at its end."""

from pathlib import Path
from typing import Any, Literal

from pipeline.errors import print_line, printable
from pipeline.tracking.pages.search_page import columns, rows
from pipeline.tracking.parents.search_folder import (
    PICTURE,
    TABLE,
    SearchRecord,
    TrialRecord,
    best_run,
    run_of,
)


def print_trial(trial: TrialRecord, record: SearchRecord) -> None:
    """Print how a trial ended, in one line."""
    from pipeline.tuning.trial import trial_text

    best = trial["label"] == record["best"]
    print_line(trial_text(trial, record["trials_wanted"], best), flush=True)


def search_facts(folder: Path, record: SearchRecord, registered: str | None) -> dict[str, Any]:
    """Return what is known of a search, for programs, with absolute paths.

    Args:
        folder: of the search.
        record: its trials.
        registered: name and version of the best trial's model; None where it is not registered.
    """
    run = best_run(folder, record)
    return {
        **record,
        "trials": [{**each, "run": str(run_of(folder, each))} for each in record["trials"]],
        "search": str(folder),
        "picture": str(folder / PICTURE),
        "table": str(folder / TABLE),
        "run": str(run),
        "model": str(run / "model"),
        "registered": registered,
    }


def print_search(facts: dict[str, Any]) -> None:
    """Print the table of a search, the best trial first, and where its model and picture are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    count = len(facts["trials"])
    title = f"{count} trials, the best first" if count > 1 else "1 trial"
    table = Table(title=title, title_justify="left")
    for heading in columns(facts["space"]):
        justify: Literal["left", "right"] = "left" if heading == "end" else "right"
        table.add_column(escape(printable(heading)), justify=justify, overflow="fold")
    for cells in rows(facts["space"], facts["trials"]):
        table.add_row(*(escape(printable(cell)) for cell in cells))
    Console().print(table)
    for name in ("picture", "model", "run"):
        print_line(f"{name:9}{facts[name]}")
    if registered := facts["registered"]:
        run = Path(facts["run"]).name
        print_line(f"registered as {registered}: use it with --model {run}, or for all commands after")
        print_line(f"  wavecast models promote {registered}")
