"""Description of a comparison in MLflow: a table of its variants and baselines, the decision, and links."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.common.text import evaluated_size
from pipeline.tracking.pages.run_page import plain

COLUMNS = ("model", "recurrent parameters", "bits per sample", "below FLAC", "nats per step")
REPORT = "report.html"


def table(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a comparison, by `COLUMNS`: its variants, the best first, then the baselines.

    Args:
        summary: content of `summary.json`.
    """
    evaluations, label = summary["evaluations"], summary["name"]
    baselines = next(iter(evaluations.values()))["baselines"]
    flac = baselines.get("FLAC", {}).get("bits_per_sample")
    rows = [
        _row(name or label, f"{summary['parameters'][name]['recurrent']:,}", evaluations[name]["model"], flac)
        for name in best_first(summary)
    ]
    return rows + [_row(name, "", found, flac) for name, found in baselines.items()]


def best_first(summary: Mapping[str, Any]) -> list[str]:
    """Return the names of the variants, that of the lowest bits per sample or nats per step first.

    Args:
        summary: content of `summary.json`.
    """
    found = {name: each["model"] for name, each in summary["evaluations"].items()}
    exact = all(figures["bits_per_sample"] is not None for figures in found.values())
    unit = "bits_per_sample" if exact else "nats_per_step"
    return sorted(found, key=lambda name: float(found[name][unit]))


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
        runs: addresses of the pages of the variants' runs by name, see `run_address`.
        own_run: MLflow's id of the comparison.
    """
    evaluations = summary["evaluations"]
    first = next(iter(evaluations.values()))
    size = evaluated_size(first)
    lines = [
        f"**{plain(summary['name'])}**: {len(evaluations)} variants on the {first['split']} split ({size}).",
        f"**Decision.** {plain(str(summary['promotion']['why']))}",
        "",
        *_markdown_table(summary, runs),
    ]
    for variant, reason in summary.get("failed", {}).items():
        lines += ["", f"**Failed.** Variant {plain(variant)}: {plain(str(reason))}"]
    pictures = [Path(path).name for path in summary["pictures"]]
    for name in pictures:
        address = f"get-artifact?path={quote(name)}&run_uuid={own_run}"
        lines += ["", f"![{plain(Path(name).stem.replace('_', ' '))}]({address})"]
    return "\n".join(lines)


def _markdown_table(summary: Mapping[str, Any], runs: Mapping[str, str]) -> list[str]:
    """Return the lines of the table, the best variant in bold, with links to the runs and their reports."""
    pages = [runs[name] for name in best_first(summary)]
    lines = [f"| {' | '.join([*COLUMNS, 'pages'])} |", "|---|---:|---:|---:|---:|---|"]
    for number, (name, *figures) in enumerate(table(summary)):
        run = pages[number] if number < len(pages) else ""
        links = f"[run]({run}), [report]({report_address(run)})" if run else ""
        label = plain(name) if number else f"**{plain(name)}**"
        lines.append(f"| {' | '.join([label, *figures, links])} |")
    return lines


def run_address(experiment: str, run_id: str) -> str:
    """Return the address of a run's page within the MLflow UI.

    Args:
        experiment: MLflow's id of the experiment.
        run_id: MLflow's id of the run.
    """
    return f"#/experiments/{experiment}/runs/{run_id}"


def report_address(run: str) -> str:
    """Return the address of a run's report, from that of its page."""
    return f"{run}/artifacts/{REPORT}"
