"""The stages of a run: functions from paths to paths, called by flows, command line and tests.

prepare -> train each variant -> evaluate each -> promote the best -> report
"""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.config.loading import variant_config
from pipeline.config.run import RunConfig
from pipeline.data.preparation import prepare
from pipeline.errors import RecordingRejected, TrainingInterrupted, UserError
from pipeline.tracking.run_folder import RunFolder, start_run


def prepare_stage(config: RunConfig) -> Path:
    """Prepare the corpus and return the data set's `dataset.json`; see `pipeline.data.preparation.prepare`.

    Raises:
        UserError: no recordings are named, or none can be used.
    """
    require_inputs(config)
    return prepare(config)


def require_inputs(config: RunConfig) -> None:
    """Raise `UserError` (exit code 2) if no recordings are named."""
    if not config.corpus.inputs:
        raise UserError("no recordings named: give a folder, or set corpus.inputs", exit_code=2)


def check_recordings(config: RunConfig) -> None:
    """Raise `UserError`, before anything slow, where no named recording exists or none can be read.

    Only headers are read, up to the first valid one.
    """
    from pipeline.audio.decode import probe
    from pipeline.common.places import local_copy
    from pipeline.data.corpora.find import find_sources
    from pipeline.features.representations import representation_of

    require_inputs(config)
    sources = find_sources(config.corpus.inputs, config.corpus.group, config.corpus.folder_level)
    if representation_of(config.input).sound is None:
        return
    first = ""
    for source in sources:
        try:
            with local_copy(source.path) as path:
                probe(path)
            return
        except (RecordingRejected, OSError) as problem:
            first = first or f"{source.path}: {problem}"
    raise UserError(f"none of {len(sources)} files is a recording that can be read (the first: {first})")


def check_splits(config: RunConfig, dataset: Path) -> None:
    """Raise `UserError`, before hours of training, where a split that the run needs is empty."""
    from pipeline.data.dataset import open_dataset

    prepared = open_dataset(dataset, config.input)
    for split in ("train", "valid", config.evaluate.split):
        prepared.require(split)


def variants(config: RunConfig) -> list[str]:
    """Return the names of the models that a run trains; the empty name is the model without a variant."""
    return list(config.variants) or [""]


def start_stage(config: RunConfig, dataset: Path, variant: str = "") -> Path:
    """Return the run folder of one variant on a prepared data set; it is created if it is missing."""
    fingerprint = read_json(dataset, "prepared data set")["fingerprint"]
    chosen = variant_config(config, variant) if variant else config.model_copy(update={"variants": {}})
    return start_run(chosen, dataset, fingerprint, variant).path


def train_stage(run: Path) -> Path:
    """Train a run in a child process and return the model folder; a killed training can be resumed.

    Raises:
        UserError: the training failed; its own message is on standard error already.
        TrainingInterrupted: the child process was killed.
    """
    if RunFolder(run).status()["status"] == "finished":
        return RunFolder(run).model
    command = [sys.executable, "-m", "pipeline.training", str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        try:
            code = child.wait()
        except BaseException:
            child.terminate()
            raise
    if code < 0:
        name = signal.Signals(-code).name
        raise TrainingInterrupted(f"{run}: training was ended by {name}; repeat the command to resume it")
    if code:
        reason = RunFolder(run).status().get("reason", "its message is above")
        raise UserError(f"{run}: training failed ({reason})")
    return RunFolder(run).model


def evaluate_stage(run: Path) -> Path:
    """Evaluate a trained run, write and send its plots, sounds and page; return its `evaluation.json`."""
    from pipeline.evaluation.evaluate import evaluate
    from pipeline.reports.html import write_run_report
    from pipeline.reports.run_artifacts import plot_run, write_sample_continuations
    from pipeline.tracking.sync import try_sync

    folder = RunFolder(run)
    config = folder.config()
    path = folder.artifacts / "evaluation.json"
    if not path.exists():
        figures = evaluate(folder.model, folder.dataset, config.evaluate, config.train.device)
        known = {name: x for name, x in figures["model"].items() if x is not None}
        ahead = {f"nats_{steps}_steps_ahead": x["nats_per_step"] for steps, x in figures["horizons"].items()}
        summary = {f"{config.evaluate.split}_{name}": figure for name, figure in {**known, **ahead}.items()}
        folder.set_status("finished", summary={**folder.status()["summary"], **summary})
        plot_run(folder, figures)
        write_sample_continuations(folder, config.samples, config.evaluate.split)
        write_run_report(folder, figures)
        write_json(path, figures)
    try_sync(folder)
    return path


def promote_stage(config: RunConfig, runs: list[Path]) -> dict[str, Any]:
    """Register the runs' models; the best one becomes champion if it is better than the present one.

    Without a tracking server nothing is registered, and the result states the reason.
    """
    from pipeline.registry.promotion import promote
    from pipeline.tracking.sync import TrackingUnavailable

    try:
        return promote([RunFolder(run) for run in runs], config)
    except TrackingUnavailable as away:
        print(f"wavecast: no model was registered: {away}", file=sys.stderr)
        return {"run": None, "version": None, "promoted": False, "why": str(away)}


def report_stage(config: RunConfig, dataset: Path, runs: list[Path], promotion: dict[str, Any]) -> Path:
    """Write `summary.json` with a run's figures, plots and sounds, the best model first; return its path."""
    from pipeline.reports.run_artifacts import plot_report

    folders = {RunFolder(run).description()["variant"]: RunFolder(run) for run in runs}
    fingerprint = read_json(dataset, "prepared data set")["fingerprint"]
    report = data_dir() / "reports" / f"{config.name}-{fingerprint}"
    evaluations = {
        name: read_json(folder.artifacts / "evaluation.json", "evaluation")
        for name, folder in folders.items()
    }
    plot_report(report, folders, evaluations)
    best_first = sorted(folders.values(), key=lambda folder: str(folder.path) != promotion["run"])
    summary = {
        "name": config.name,
        "dataset": str(dataset),
        "runs": {name: str(folder.path) for name, folder in folders.items()},
        "parameters": {name: folder.status()["parameters"] for name, folder in folders.items()},
        "evaluations": evaluations,
        "promotion": promotion,
        "pictures": sorted(str(path) for path in report.glob("*.png")),
        "pages": [str(folder.artifacts / "report.html") for folder in best_first],
        "sounds": [
            str(sound) for folder in best_first for sound in sorted((folder.artifacts / "sounds").glob("*"))
        ],
    }
    write_json(report / "summary.json", summary)
    return report / "summary.json"


def run_stages(config: RunConfig) -> Path:
    """Run the whole pipeline in this process, without Prefect; return the summary's path."""
    dataset = prepare_stage(config)
    check_splits(config, dataset)
    runs = []
    for variant in variants(config):
        runs.append(start_stage(config, dataset, variant))
        train_stage(runs[-1])
        evaluate_stage(runs[-1])
    return report_stage(config, dataset, runs, promote_stage(config, runs))
