"""The stages of a run: functions from paths to paths, called by flows, command line and tests.

prepare -> train each variant -> evaluate each -> promote the best -> report
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.config.loading import variant_config
from pipeline.config.run import RunConfig
from pipeline.config.runners import ONE_AT_A_TIME, RunnersConfig
from pipeline.data.preparation import prepare
from pipeline.errors import (
    RecordingRejected,
    UserError,
    noting_failure,
    print_notice,
    raise_failures,
    reason_of,
)
from pipeline.evaluation.evaluation_file import EVALUATION, read_evaluation, read_temporal_sensitivity
from pipeline.tracking.comparison_folder import write_summary
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.processes.runners import train_all, train_run
from pipeline.training.processes.shared import SharedTraining

if TYPE_CHECKING:
    from pipeline.data.corpora.corpus import Corpus
PREPARE_AGAIN = "delete it, and prepare the recordings again"


class Fingerprinted(TypedDict):
    """The part of a `dataset.json` that names a run."""

    fingerprint: str


def prepare_stage(
    config: RunConfig, reread: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Prepare the corpus and return the data set's `dataset.json`; see `pipeline.data.preparation.prepare`.

    Raises:
        UserError: no recordings are named, or none can be used.
    """
    require_inputs(config)
    return prepare(config, reread, progress)


def require_inputs(config: RunConfig) -> None:
    """Raise `UserError` (exit code 2) if no recordings are named."""
    if not config.corpus.inputs:
        raise UserError("no recordings named: give a folder, or set corpus.inputs", exit_code=2)


def check_recordings(config: RunConfig) -> "Corpus":
    """Return the corpus that ``config`` names. Only headers are read, up to the first valid one.

    Raises:
        UserError: no named recording exists, or none can be read.
    """
    from pipeline.data.corpora.corpus import find_corpus
    from pipeline.data.corpora.opening import open_source
    from pipeline.features.representations import representation_of

    require_inputs(config)
    corpus = find_corpus(config.corpus)
    if representation_of(config.input).sound is None:
        return corpus
    first = ""
    for source in corpus.sources:
        try:
            with open_source(source):
                return corpus
        except (RecordingRejected, OSError) as problem:
            first = first or f"{source.label}: {problem}"
    raise UserError(
        f"none of {len(corpus.sources)} files is a recording that can be read (the first: {first})"
    )


def check_splits(config: RunConfig, dataset: Path) -> None:
    """Check, before hours of training, that every split that a run needs has recordings.

    Args:
        config: the run's configuration.
        dataset: the prepared data set.

    Raises:
        UserError: a split is empty.
    """
    from pipeline.data.dataset import open_dataset

    prepared = open_dataset(dataset, config.input)
    for split in ("train", "valid", config.evaluate.split):
        prepared.require(split)


def variants(config: RunConfig) -> list[str]:
    """Return the names of the models that a run trains; the empty name is the model without a variant.

    Raises:
        UserError: the changes of a variant are not valid.
    """
    for variant in config.variants:
        variant_config(config, variant)
    return list(config.variants) or [""]


def start_stage(config: RunConfig, dataset: Path, variant: str = "") -> Path:
    """Return the run folder of one variant on a prepared data set; it is created if it is missing.

    With `train.start_from`, the model that the training starts from is chosen here.

    Raises:
        UserError: the model that it names does not exist.
    """
    from pipeline.promotion.starting import choose_start

    fingerprint = str(read_json(dataset, "prepared data set", Fingerprinted, PREPARE_AGAIN)["fingerprint"])
    chosen = variant_config(config, variant) if variant else config.model_copy(update={"variants": {}})
    run = start_run(chosen, dataset, fingerprint, variant)
    choose_start(run)
    return run.path


def is_trained(run: Path) -> bool:
    """Return whether a run is finished, so that `train_stage` trains nothing."""
    return bool(RunFolder(run).status()["status"] == "finished")


def train_stage(
    run: Path,
    observe: Callable[[], None] = lambda: None,
    where: RunnersConfig = ONE_AT_A_TIME,
    shared: SharedTraining | None = None,
) -> Path:
    """Train a run in a child process and return the model folder; a killed training can be resumed.

    Args:
        run: the run folder.
        observe: called every two seconds while the child trains, and when it has ended.
        where, shared: see `pipeline.training.processes.runners.train_run`.

    Raises:
        UserError: the training failed; its own message is on standard error already.
        TrainingInterrupted: the child process was killed.
    """
    train_run(run, where, observe, shared)
    return RunFolder(run).model


def evaluate_stage(run: Path) -> Path:
    """Evaluate a trained run, write and send its plots, sounds and page; return its `evaluation.json`."""
    from pipeline.evaluation.evaluate import evaluate
    from pipeline.reports.html import write_run_report
    from pipeline.reports.run_artifacts import plot_run, write_sample_continuations
    from pipeline.tracking.sync import try_sync

    folder = RunFolder(run)
    config = folder.config()
    path = folder.artifacts / EVALUATION
    figures = _kept_evaluation(folder)
    if figures is None:
        figures = evaluate(folder.model, folder.dataset, config.evaluate, config.train.device)
        _note_figures(folder, figures, config.evaluate.split)
        plot_run(folder, figures)
        write_sample_continuations(folder, config.samples, config.evaluate.split)
        write_run_report(folder, figures)
        write_json(path, figures)
    else:
        _note_figures(folder, figures, figures["split"])
    try_sync(folder)
    return path


def _kept_evaluation(folder: RunFolder) -> dict[str, Any] | None:
    """Return the figures of a run that was evaluated before; None where they are to be made (again)."""
    if not (folder.artifacts / EVALUATION).exists():
        return None
    try:
        read_temporal_sensitivity(folder.artifacts)
        return read_evaluation(folder.artifacts)
    except UserError as problem:
        print_notice(f"{problem}; the run is evaluated again")
        return None


def _note_figures(folder: RunFolder, figures: dict[str, Any], split: str) -> None:
    """Write the figures of an evaluation into the run's status, unless they are there."""
    known = {name: x for name, x in figures["model"].items() if x is not None}
    ahead = {f"nats_{steps}_steps_ahead": x["nats_per_step"] for steps, x in figures["horizons"].items()}
    noted = folder.status().get("summary", {})
    summary = {**noted, **{f"{split}_{name}": figure for name, figure in {**known, **ahead}.items()}}
    if summary != noted:
        folder.set_status("finished", summary=summary)


def promote_stage(config: RunConfig, runs: list[Path]) -> dict[str, Any]:
    """Register the runs' models; the best one becomes champion if it is shown to be better.

    Without a tracking server nothing is registered. Neither that nor another obstacle ends the run: the
    result states the reason. See `pipeline.promotion.gate.promote`.
    """
    from pipeline.promotion.gate import promote
    from pipeline.tracking.sync import TrackingUnavailable

    try:
        return promote([RunFolder(run) for run in runs], config)
    except UserError as problem:
        away = isinstance(problem, TrackingUnavailable)
        failed = "no model was registered" if away else "no champion was chosen"
        print(f"wavecast: {failed}: {problem}", file=sys.stderr)
        return {"run": None, "version": None, "promoted": False, "why": str(problem)}


def report_stage(
    config: RunConfig,
    dataset: Path,
    runs: list[Path],
    promotion: dict[str, Any],
    failures: Mapping[str, Exception] | None = None,
) -> Path:
    """Write and send `summary.json` with a run's figures, plots and sounds, the best model first; return it.

    Args:
        config: the run's configuration.
        dataset: the prepared data set.
        runs: folders of finished runs.
        promotion: result of `promote_stage`.
        failures: the exception of each variant that failed.
    """
    from pipeline.reports.run_artifacts import plot_report
    from pipeline.tracking.comparison import try_send_comparison
    from pipeline.tracking.pages.start_gain import start_gain

    folders = {RunFolder(run).description()["variant"]: RunFolder(run) for run in runs}
    fingerprint = str(read_json(dataset, "prepared data set", Fingerprinted, PREPARE_AGAIN)["fingerprint"])
    report = data_dir() / "reports" / f"{config.name}-{fingerprint}"
    evaluations = {name: read_evaluation(folder.artifacts) for name, folder in folders.items()}
    plot_report(report, folders, evaluations)
    gains = {name: start_gain(folder.status()) for name, folder in folders.items()}
    best_first = sorted(folders.values(), key=lambda folder: str(folder.path) != promotion["run"])
    summary = {
        "name": config.name,
        "dataset": str(dataset),
        "runs": {name: str(folder.path) for name, folder in folders.items()},
        "parameters": {name: folder.status()["parameters"] for name, folder in folders.items()},
        "evaluations": evaluations,
        "gains": {name: gain.sentence for name, gain in gains.items() if gain is not None},
        "promotion": promotion,
        "failed": {name: reason_of(problem) for name, problem in (failures or {}).items()},
        "pictures": sorted(str(path) for path in report.glob("*.png")),
        "pages": [str(folder.artifacts / "report.html") for folder in best_first],
        "sounds": [
            str(sound) for folder in best_first for sound in sorted((folder.artifacts / "sounds").glob("*"))
        ],
    }
    path = write_summary(report, summary)
    try_send_comparison(report)
    return path


def run_stages(config: RunConfig) -> Path:
    """Run the whole pipeline in this process, without Prefect; return the summary's path.

    Raises:
        UserError: a stage failed.
        VariantsFailed: variants failed; the others were trained, compared and reported.
    """
    dataset = prepare_stage(config)
    check_splits(config, dataset)
    names, runs = variants(config), dict[str, Path]()
    failures: dict[str, Exception] = {}
    started: dict[Path, str] = {}

    def start_each() -> Iterator[Path]:
        for name in names:
            with noting_failure(name, failures, len(names)):
                run = start_stage(config, dataset, name)
                started[run] = name
                yield run

    for run, failed in train_all(start_each(), config.run):
        with noting_failure(started[run], failures, len(names)):
            if failed is not None:
                raise failed
            evaluate_stage(run)
            runs[started[run]] = run
    in_order = [runs[name] for name in names if name in runs]  # with workers they end in any order
    summary = report_stage(config, dataset, in_order, promote_stage(config, in_order), failures)
    raise_failures(failures, summary)
    return summary
