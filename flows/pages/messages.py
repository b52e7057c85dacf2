"""Messages of finished task runs: what a stage did, in one sentence."""

from collections import defaultdict
from pathlib import Path

from pipeline.data.manifest import read_manifest
from pipeline.evaluation.evaluation_file import read_evaluation
from pipeline.tracking.pages.start_gain import start_gain
from pipeline.tracking.run_folder import RunFolder


def dataset_text(dataset: Path) -> str:
    """Return the numbers of recordings and of minutes of a prepared data set, given its `dataset.json`."""
    records = read_manifest(dataset.parent / "manifest.jsonl")
    seconds: dict[str, float] = defaultdict(float)
    for record in records:
        if not record.refused:
            seconds[str(record.split)] += record.seconds or 0.0
    rejected = sum(bool(record.refused) for record in records)
    minutes = ", ".join(f"{split} {total / 60:.1f} min" for split, total in sorted(seconds.items()))
    return f"{len(records) - rejected:,} recordings prepared ({minutes}), {rejected:,} rejected"


def training_text(run: Path) -> str:
    """Return the result of a finished training."""
    folder = RunFolder(run)
    summary = folder.status()["summary"]
    nats, epoch = summary["valid_nats_per_step"], summary["best_epoch"]
    text = f"trained: {nats:.3f} nats per step in validation, best after epoch {epoch}"
    if summary.get("stopped_by_time"):
        text += f"; stopped by train.max_minutes={folder.config().train.max_minutes:g}"
    gain = start_gain(folder.status())
    return text if gain is None else f"{text}; {gain.sentence}"


def evaluation_text(run: Path) -> str:
    """Return the figures of an evaluated run."""
    figures = read_evaluation(RunFolder(run).artifacts)
    found = figures["model"]
    bits = found.get("bits_per_sample")
    per_sample = "" if bits is None else f", {bits:.3f} bits per sample"
    return f"{found['nats_per_step']:.3f} nats per step{per_sample} on the {figures['split']} split"
