"""What the command line prints: a short text for people, or JSON for machines, on standard output."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.common.files import read_json
from pipeline.tracking.run_folder import RunFolder


def print_dataset(path: Path, as_json: bool) -> None:
    """A prepared data set: what was accepted into which split, and what was refused and why."""
    from pipeline.data.manifest import read_manifest

    records = read_manifest(path.parent / "manifest.jsonl")
    used = [record for record in records if not record.refused]
    seconds: dict[str, float] = defaultdict(float)
    for record in used:
        seconds[str(record.split)] += record.seconds or 0.0
    refused = [{"path": str(r.path), "reason": r.refused} for r in records if r.refused]
    facts: dict[str, Any] = {
        "dataset": str(path),
        "manifest": str(path.parent / "manifest.jsonl"),
        "recordings": len(used),
        "minutes": {split: round(total / 60, 2) for split, total in sorted(seconds.items())},
        "refused": refused,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    minutes = ", ".join(f"{split} {total:.1f}" for split, total in facts["minutes"].items())
    print(f"{len(used)} recordings prepared (minutes: {minutes})")
    for item in refused[:10]:
        print(f"  refused {item['path']}: {item['reason']}")
    if len(refused) > 10:
        print(f"  and {len(refused) - 10} more")
    print(f"data set  {path}\nmanifest  {facts['manifest']}")


def print_run(run: Path, as_json: bool) -> None:
    """A trained run."""
    folder = RunFolder(run)
    status = folder.status()
    facts = {"run": str(run), "model": str(folder.model), **status}
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    summary = status["summary"]
    nats, epoch = summary["valid_nats_per_step"], summary["best_epoch"]
    print(f"validation {nats:.3f} nats per step after epoch {epoch}")
    print(f"model  {folder.model}\nrun    {run}")


def print_evaluation(figures: dict[str, Any], as_json: bool) -> None:
    """A model's figures beside the baselines'."""
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    _print_table([("model", figures, None)])


def print_summary(path: Path, as_json: bool) -> None:
    """A run of the whole pipeline: the table of its models, and where sounds and pictures lie."""
    summary = read_json(path, "summary of a run")
    if as_json:
        print(json.dumps(summary, indent=2))
        return
    rows = [
        (name, figures, summary["parameters"][name]["recurrent"])
        for name, figures in summary["evaluations"].items()
    ]
    _print_table(rows)
    promotion = summary["promotion"]
    if promotion["version"] is not None:
        state = "champion now" if promotion["promoted"] else "champion unchanged"
        print(f"{state}: version {promotion['version']} is the best of this run; {promotion['why']}")
    for kind in ("sounds", "pictures", "pages"):
        print(f"\n{kind}")
        for item in summary[kind]:
            print(f"  {item}")


def _print_table(models: list[tuple[str, dict[str, Any], int | None]]) -> None:
    """Models by name, with their evaluation and perhaps number of parameters, above the baselines."""
    figures = models[0][1]
    size = (
        f"{figures['recordings']} recordings, {figures['groups']} group(s), {figures['seconds'] / 60:.1f} min"
    )
    table = Table(title=f"{figures['split']} split: {size}", title_justify="left")
    table.add_column("model")
    for heading in ("parameters", "nats per step", "bits per sample"):
        table.add_column(heading, justify="right")
    for name, evaluation, parameters in models:
        count, found = "" if parameters is None else f"{parameters:,}", evaluation["model"]
        table.add_row(name, count, _figure(found, "nats_per_step"), _figure(found, "bits_per_sample"))
    table.add_section()
    for name, found in figures["baselines"].items():
        table.add_row(name, "", _figure(found, "nats_per_step"), _figure(found, "bits_per_sample"))
    Console().print(table)
    ahead = {name: evaluation["horizons"] for name, evaluation, _ in models if evaluation["horizons"]}
    if ahead:
        table = Table(title="nats per step, so many steps ahead", title_justify="left")
        table.add_column("model")
        for steps in next(iter(ahead.values())):
            table.add_column(steps, justify="right")
        for name, found in ahead.items():
            table.add_row(name, *(f"{x['nats_per_step']:.2f}" for x in found.values()))
        Console().print(table)


def _figure(found: dict[str, Any], key: str) -> str:
    return "" if found[key] is None else f"{found[key]:.2f}"


def print_models(found: list[dict[str, Any]], as_json: bool) -> None:
    """Registered models, newest first."""
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not found:
        print("no model is registered yet: run `make demo`, or `wavecast run base FOLDER`")
        return
    table = Table()
    for heading in ("model", "aliases", "run", "test bits per sample", "test nats per step", "created"):
        table.add_column(heading)
    for version in found:
        figures = [version["metrics"].get(f"test_{name}") for name in ("bits_per_sample", "nats_per_step")]
        table.add_row(
            f"{version['name']}/{version['version']}",
            ", ".join(version["aliases"]),
            version["run_name"],
            *("" if figure is None else f"{figure:.2f}" for figure in figures),
            version["created"],
        )
    Console().print(table)


GENERATION_COLUMNS = {
    "cell": "cell",
    "takes": "takes",
    "compiled_steps_per_second": "compiled",
    "torch_steps_per_second": "torch",
    "plain_steps_per_second": "plain loop",
    "ratio": "ratio",
    "real_time": "x real time",
    "memory_mib": "MiB",
}


def print_generation_bench(rows: list[dict[str, Any]], as_json: bool) -> None:
    """How fast sound is made: a line for each model and number of takes."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title=f"steps a second, {rows[0]['device']}", title_justify="left")
    for heading in GENERATION_COLUMNS.values():
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for row in rows:
        cells = (row.get(key, "") for key in GENERATION_COLUMNS)
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:,}" for cell in cells))
    Console().print(table)


def print_bench(figures: dict[str, Any], as_json: bool) -> None:
    """Timings: a line for each figure."""
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    print(figures.pop("what"))
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"  {name}")
            for part, ratio in value.items():
                print(f"    {part:26} {ratio:,.2f}")
            continue
        shown = " to ".join(f"{x:,.2f}" for x in value) if isinstance(value, list) else f"{value:,.2f}"
        print(f"  {name.replace('_', ' '):28} {shown}")
