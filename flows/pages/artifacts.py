"""Artifacts of a flow run: the summary in Markdown, and its figures as a table.

Names come from files and configurations, so every text is escaped: none can add a link or markup to a page.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.pages.run_logs import log
from flows.pages.tracking_links import LOCAL_PAGES, model_link, run_link, ui_address
from pipeline.errors import one_line, reason_of


def key_of(*names: str) -> str:
    """Return the key of an artifact: lower-case letters, digits and dashes.

    Example:
        >>> key_of("Speech 8k", "training", "gru")
        'speech-8k-training-gru'
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(filter(None, names)).lower()).strip("-")


def escaped(text: str) -> str:
    """Return a text that Markdown displays as it is, in a paragraph or in a cell of a table.

    Example:
        >>> print(escaped("[x](http://y) <b>|"))
        \\[x\\]\\(http\\:\\/\\/y\\) \\<b\\>\\|
    """
    return re.sub(r"([!-/:-@\\[-`{-~])", r"\\\1", one_line(text))


def published(publish: Callable[[], object]) -> bool:
    """Call a function that writes an artifact; a failure is one line of log. Return whether it succeeded."""
    try:
        publish()
    except Exception as problem:  # the page is a copy: whatever is wrong with it must not end the run
        log(f"the page of this run is incomplete: {reason_of(problem)[:200]}", page_only=True)
        return False
    return True


def publish_summary(summary: Mapping[str, Any], path: Path, configured_uri: str | None) -> None:
    """Write the artifacts of a finished run.

    Args:
        summary: content of `summary.json`.
        path: the file's path.
        configured_uri: the setting `tracking.uri`.
    """
    address = ui_address(configured_uri)
    name = str(summary["name"])
    text = summary_markdown(summary, path, address)
    described = f"Result of {name}: {escaped(decision_text(summary['promotion']))}"
    published(lambda: create_markdown_artifact(text, key_of(name, "summary"), described))
    columns, *cells = _table(summary, address)
    rows = [dict(zip(columns, row, strict=True)) for row in cells]
    published(lambda: create_table_artifact(rows, key_of(name, "figures"), "Figures of each model"))


def decision_text(promotion: Mapping[str, Any]) -> str:
    """Return the decision on the champion as a sentence."""
    why = promotion["why"]
    if promotion["version"] is None:
        return f"no champion was chosen: {why}"
    if promotion["promoted"]:
        return f"version {promotion['version']} became champion: {why}"
    champion = promotion.get("champion")
    kept = "no version became champion" if champion is None else f"version {champion} stays champion"
    return f"{kept}: {why}"


def figures(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row of figures for each model, then for each baseline."""
    rows = []
    for name, evaluation in summary["evaluations"].items():
        parameters = f"{summary['parameters'][name]['recurrent']:,}"
        rows.append(_row(name, parameters, evaluation["model"]))
    first = next(iter(summary["evaluations"].values()))
    return rows + [_row(f"baseline: {name}", "", found) for name, found in first["baselines"].items()]


def summary_markdown(summary: Mapping[str, Any], path: Path, address: str | None) -> str:
    """Return the page of a finished run.

    Args:
        summary: content of `summary.json`.
        path: the file's path.
        address: of the MLflow UI; None where none is known.
    """
    evaluation = next(iter(summary["evaluations"].values()))
    size = f"{evaluation['recordings']} recordings, {evaluation['groups']} group(s)"
    minutes = f"{evaluation['seconds'] / 60:.1f} min"
    lines = [
        f"# {escaped(summary['name'])}",
        "",
        f"**Decision.** {escaped(decision_text(summary['promotion']))}",
    ]
    for variant, gain in summary.get("gains", {}).items():
        lines += ["", f"**Cost and gain.** {escaped(f'{variant}: {gain}' if variant else gain)}"]
    for variant, reason in summary.get("failed", {}).items():
        lines += ["", f"**Failed.** Variant {escaped(variant)}: {escaped(reason)}"]
    lines += [
        "",
        f"## Figures on the {escaped(evaluation['split'])} split ({escaped(f'{size}, {minutes}')})",
        "",
    ]
    columns, *rows = _table(summary, address)
    lines += [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
    lines += ["", *_whereabouts(summary, path, address)]
    return "\n".join(lines) + "\n"


def _whereabouts(summary: Mapping[str, Any], path: Path, address: str | None) -> list[str]:
    """Return where models, report pages and the summary are found."""
    promotion = summary["promotion"]
    lines = []
    if address is None:
        lines.append(LOCAL_PAGES)
    elif promotion.get("name") and promotion["version"] is not None:
        link = model_link(address, promotion["name"], promotion["version"])
        lines.append(f"Registered: [version {promotion['version']}]({link}) of {escaped(promotion['name'])}")
    lines += ["", *(f"- report: {escaped(page)}" for page in summary["pages"])]
    return [*lines, f"- summary: {escaped(str(path))}"]


def _table(summary: Mapping[str, Any], address: str | None) -> list[list[str]]:
    """Return the headings, then the cells of each row in Markdown, which Prefect displays in tables, too."""
    rows = figures(summary)
    table = [list(rows[0]), *([escaped(cell) for cell in row.values()] for row in rows)]
    if address is None:
        return table
    runs = [Path(summary["runs"][name]) for name in summary["evaluations"]]
    links = [f"[run]({link})" if (link := run_link(address, run)) else "" for run in runs]
    links += [""] * (len(rows) - len(links))
    return [[*cells, last] for cells, last in zip(table, ["MLflow", *links], strict=True)]


def _row(name: str, parameters: str, found: Mapping[str, Any]) -> dict[str, str]:
    def figure(key: str) -> str:
        return "" if found.get(key) is None else f"{found[key]:.3f}"

    return {
        "model": name,
        "recurrent parameters": parameters,
        "nats per step": figure("nats_per_step"),
        "bits per sample": figure("bits_per_sample"),
    }
