"""Output of results: a short text for users, or JSON for programs."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.cli.text.promotion import print_promotion
from pipeline.common.places import Place, place_of
from pipeline.common.text import evaluated_size
from pipeline.errors import print_line, printable
from pipeline.tracking.comparison_folder import read_summary
from pipeline.tracking.run_folder import RunFolder

EXAMPLES = 3


def emit(facts: Any, as_json: bool, text: Callable[[], None]) -> None:
    """Print ``facts`` as JSON, or call ``text``, which prints them as text."""
    if as_json:
        write_json_text(facts)
    else:
        text()


def write_json_text(facts: Any) -> None:
    """Print ``facts`` as JSON; paths become strings, and NaN and infinities raise ValueError."""
    print(json.dumps(facts, indent=2, default=str, allow_nan=False))


def print_json(found: Sequence[dict[str, Any]], many: bool) -> None:
    """Print facts about the one recording that was named, null if it was rejected; a list of ``many``."""
    write_json_text(list(found) if many else next(iter(found), None))


def print_dataset(
    path: Path, as_json: bool, named: Sequence[str | Place] = (), of_notes: bool = False
) -> None:
    """Print a prepared data set: the size of each split, and rejected recordings with the reasons.

    Args:
        path: of its `dataset.json`.
        as_json: print JSON, with absolute paths.
        named: files and folders as the user named them; the text has paths relative to them.
        of_notes: it has piano rolls, whose size is in steps. That of others is in minutes.
    """
    from pipeline.data.corpora.corpus import read_corpus
    from pipeline.data.manifest import read_manifest

    records = read_manifest(path.parent / "manifest.jsonl")
    used = [record for record in records if not record.refused]
    sizes: dict[str, float] = defaultdict(float)
    for record in used:
        sizes[str(record.split)] += (record.frames or 0) if of_notes else (record.seconds or 0.0) / 60
    unit, digits = ("steps", None) if of_notes else ("minutes", 2)
    refused = [{"path": str(r.path), "reason": r.refused} for r in records if r.refused]
    facts: dict[str, Any] = {
        "dataset": str(path),
        "manifest": str(path.parent / "manifest.jsonl"),
        "recordings": len(used),
        unit: {split: round(total, digits) for split, total in sorted(sizes.items())},
        "refused": refused,
        "corpus": read_corpus(path),
    }
    if as_json:
        write_json_text(facts)
        return
    shown = ", ".join(f"{split} {total:,.{0 if of_notes else 1}f}" for split, total in facts[unit].items())
    print_remarks(facts["corpus"]["remarks"])
    print(f"{len(used)} {'pieces' if of_notes else 'recordings'} prepared ({unit}: {shown})")
    _print_rejections(refused, named)
    print_line(f"data set  {path}")
    print_line(f"manifest  {facts['manifest']}")


def print_remarks(remarks: Sequence[str]) -> None:
    """Print what was found of a corpus."""
    for remark in remarks:
        print_line(remark)


def print_dry_run(facts: dict[str, Any], as_json: bool, named: Sequence[str | Place] = ()) -> None:
    """Print what a preparation would find: groups, recordings and minutes of each split, and rejections.

    Notes have no minutes.
    """
    if as_json:
        write_json_text(facts)
        return
    print_remarks(facts["remarks"])
    timed = all("minutes" in found for found in facts["splits"].values())
    counted = "recordings" if timed else "pieces"
    print(f"{'':7}{'groups':>8}{counted:>12}{'minutes' if timed else '':>10}".rstrip())
    for split, found in facts["splits"].items():
        line = f"{split:7}{found['groups']:8,}{found['recordings']:12,}"
        if timed:
            unknown = found["unknown_durations"]
            line += f"{found['minutes']:10,.1f}" + (f"  and {unknown} of unknown duration" if unknown else "")
        print_line(line)
    _print_rejections(facts["refused"], named)
    print("nothing was decoded or written")


def _print_rejections(refused: Sequence[dict[str, Any]], named: Sequence[str | Place]) -> None:
    """Print rejections by reason, with some of the files."""
    from pipeline.cli.inputs import as_given
    from pipeline.data.rejections import by_reason

    def shown(path: str) -> str:
        file = place_of(path)
        known = (as_given(place_of(folder), file) for folder in named)
        return str(next((given for given in known if str(given) != path), path))

    for found in by_reason((item["path"], item["reason"]) for item in refused):
        if len(found.paths) == 1:
            print_line(f"  rejected {shown(found.paths[0])}: {found.reason}")
            continue
        paths = ", ".join(shown(path) for path in found.paths[:EXAMPLES])
        more = f" and {len(found.paths) - EXAMPLES} more" if len(found.paths) > EXAMPLES else ""
        print_line(f"  rejected {len(found.paths):,} files: {found.reason} ({paths}{more})")


def print_run(run: Path, registered: str | None, as_json: bool) -> None:
    """Print a trained run, its figures and its registered version."""
    from pipeline.registry.catalogue import validation_bits

    folder = RunFolder(run)
    status = folder.status()
    bits = validation_bits(folder.model)
    facts = {
        "run": str(run),
        "model": str(folder.model),
        "registered": registered,
        "valid_bits_per_sample": bits,
        **status,
    }
    if as_json:
        write_json_text(facts)
        return
    summary = status["summary"]
    nats, epoch = summary["valid_nats_per_step"], summary["best_epoch"]
    per_sample = "" if bits is None else f" ({bits:.2f} bits per sample)"
    print(f"validation {nats:.3f} nats per step{per_sample} after epoch {epoch}")
    if summary.get("stopped_by_time"):
        minutes = folder.config().train.max_minutes
        print(f"stopped by train.max_minutes={minutes:g} before the last epoch; more time may help")
    print_line(f"model  {folder.model}")
    print_line(f"run    {run}")
    if registered:
        print_line(f"registered as {registered}: use it with --model {run.name}, or for all commands after")
        print_line(f"  wavecast models promote {registered}")


def print_evaluation(figures: dict[str, Any], as_json: bool) -> None:
    """Print a model's figures and those of the baselines."""
    if as_json:
        write_json_text(figures)
        return
    _print_table([("model", figures, None)])


def print_summary(path: Path, as_json: bool) -> None:
    """Print a run of the whole pipeline: the table of its models, and the paths of sounds and plots."""
    summary = read_summary(path)
    if as_json:
        write_json_text(summary)
        return
    rows = [
        (name, figures, summary["parameters"][name]["recurrent"])
        for name, figures in summary["evaluations"].items()
    ]
    _print_table(rows)
    for name, gain in summary.get("gains", {}).items():
        print_line(f"{name}: {gain}" if name else gain)
    print_promotion(summary["promotion"])
    for kind in (each for each in ("sounds", "pictures", "pages") if summary[each]):
        print(f"\n{kind}")
        for item in summary[kind]:
            print_line(f"  {item}")


def _print_table(models: list[tuple[str, dict[str, Any], int | None]]) -> None:
    """Print a table of models, with their evaluation and number of parameters, above the baselines."""
    from rich.console import Console
    from rich.table import Table

    figures = models[0][1]
    table = Table(title=f"{figures['split']} split: {evaluated_size(figures)}", title_justify="left")
    table.add_column("model")
    for heading in ("parameters", "nats per step", "bits per sample"):
        table.add_column(heading, justify="right")
    for name, evaluation, parameters in models:
        count, found = "" if parameters is None else f"{parameters:,}", evaluation["model"]
        table.add_row(_plain(name), count, _figure(found, "nats_per_step"), _figure(found, "bits_per_sample"))
    table.add_section()
    for name, found in figures["baselines"].items():
        table.add_row(_plain(name), "", _figure(found, "nats_per_step"), _figure(found, "bits_per_sample"))
    Console().print(table)
    ahead = {name: evaluation["horizons"] for name, evaluation, _ in models if evaluation["horizons"]}
    if ahead:
        table = Table(title="nats per step, by steps ahead", title_justify="left")
        table.add_column("model")
        for steps in next(iter(ahead.values())):
            table.add_column(steps, justify="right")
        for name, found in ahead.items():
            table.add_row(_plain(name), *(f"{x['nats_per_step']:.2f}" for x in found.values()))
        Console().print(table)


def _cells(name: str, parameters: str, found: dict[str, Any]) -> list[str]:
    return [_plain(name), parameters, _figure(found, "nats_per_step"), _figure(found, "bits_per_sample")]


def _plain(name: str) -> str:
    """Return a name without control characters and without what a table would take as markup."""
    from rich.markup import escape

    return escape(printable(name))


def _figure(found: dict[str, Any], key: str) -> str:
    return "" if found[key] is None else f"{found[key]:.2f}"
