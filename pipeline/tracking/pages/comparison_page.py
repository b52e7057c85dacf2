"""Description of a comparison in MLflow: a table of its variants and baselines, the decision, and links."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.tracking.pages.run_page import plain

COLUMNS = ("model", "recurrent parameters", "bits per sample", "below FLAC", "nats per step")
REPORT = "report.html"


def table(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a comparison, the columns of `COLUMNS`: its variants, then the baselines.

    Args:
        summary: content of `summary.json`.
    """
    evaluations = summary["evaluations"]
    baselines = next(iter(evaluations.values()))["baselines"] if evaluations else {}
    flac = baselines.get("FLAC", {}).get("bits_per_sample")
    rows = [
        _row(name or summary["name"], f"{summary['parameters'][name]['recurrent']:,}", found["model"], flac)
        for name, found in evaluations.items()
    ]
    return rows + [_row(name, "", found, flac) for name, found in baselines.items()]


def _row(name: str, parameters: str, found: Mapping[str, Any], flac: float | None) -> list[str]:
    bits, nats = found.get("bits_per_sample"), found.get("nats_per_step")
    below = None if bits is None or flac is None else flac - bits
    return [name, parameters, _figure(bits), "" if below is None else f"{below:+.3f}", _figure(nats)]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def describe_comparison(summary: Mapping[str, Any], runs: Mapping[str, str], own_run: str) -> str:
    """Return the Markdown description of a comparison.

    Args:
        summary: content of `summary.json`.
        runs: MLflow's ids of the variants' runs by name.
        own_run: MLflow's id of the comparison.
    """
    evaluations = summary["evaluations"]
    first = next(iter(evaluations.values()))
    size = f"{first['recordings']} recordings, {first['groups']} groups, {first['seconds'] / 60:.1f} minutes"
    lines = [
        f"**{plain(summary['name'])}**: {len(evaluations)} variants on the {first['split']} split ({size}).",
        "",
        *_markdown_table(summary, list(runs.values())),
        "",
        f"**Decision.** {plain(str(summary['promotion']['why']))}",
    ]
    for variant, reason in summary.get("failed", {}).items():
        lines += ["", f"**Failed.** Variant {plain(variant)}: {plain(str(reason))}"]
    pictures = [Path(path).name for path in summary["pictures"]]
    for name in pictures:
        address = f"get-artifact?path={quote(name)}&run_uuid={own_run}"
        lines += ["", f"![{plain(Path(name).stem.replace('_', ' '))}]({address})"]
    return "\n".join(lines)


def _markdown_table(summary: Mapping[str, Any], runs: Sequence[str]) -> list[str]:
    """Return the lines of the table, the best variant in bold, with links to the runs and their reports."""
    rows = table(summary)
    best = _best(summary)
    lines = [f"| {' | '.join([*COLUMNS, 'pages'])} |", "|---|---:|---:|---:|---:|---|"]
    for number, (name, *figures) in enumerate(rows):
        run = runs[number] if number < len(runs) else ""
        links = f"[run](#/runs/{run}), [report]({report_link(run)})" if run else ""
        label = f"**{plain(name)}**" if number == best else plain(name)
        lines.append(f"| {' | '.join([label, *figures, links])} |")
    return lines


def _best(summary: Mapping[str, Any]) -> int:
    """Return the number of the variant with the lowest figure."""
    found = [each["model"] for each in summary["evaluations"].values()]
    unit = "nats_per_step" if any(each["bits_per_sample"] is None for each in found) else "bits_per_sample"
    return min(range(len(found)), key=lambda number: float(found[number][unit]))


def report_link(run_id: str) -> str:
    """Return the address of a run's report within the MLflow UI."""
    return f"#/runs/{run_id}/artifacts/{REPORT}"
