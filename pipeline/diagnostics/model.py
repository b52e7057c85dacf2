"""Examination of a trained model: its files, weights and training, and a trial on recordings.

The trial shows whether the model is better than a linear predictor, whether its scales lie at their floor,
and which components and units are unused. It uses the named recordings, or those of the validation split.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.files import data_dir
from pipeline.common.text import duration
from pipeline.diagnostics.findings import Examination, Finding, Severity, counted, share, worst_first
from pipeline.errors import UserError
from pipeline.evaluation.evaluation_file import read_evaluation
from pipeline.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from pipeline.diagnostics.model_trial import Trial
    from pipeline.model.trained_model import TrainedModel

FEW_UPDATES = 200
FLOORED = 0.2  # of the scales
WILD = 0.3  # of the linear predictors
ADAPTIVE = "FLAC", "adaptive predictor"
"""Baselines that adapt to each recording: a good model may need more bits than these."""
TRAIN_ANEW = "Train it again, or fetch another version (`wavecast models` lists them)."


def examine_model(named: str, folder: Path, sounds: Sequence[Path] = ()) -> Examination:
    """Examine a trained model.

    Args:
        named: the name to report.
        folder: of the model's files.
        sounds: recordings of the trial; empty: the validation split that the model was trained with.

    Returns:
        The examination, the worst findings first.

    Raises:
        UserError: the model cannot be loaded, or none of the recordings can be used.
    """
    from pipeline.model.storage import load_model

    model = load_model(folder)
    parameters = sum(weight.numel() for weight in model.network.parameters())
    findings = [*_weights(model), *_training(model), *_evaluation(folder), *_engine(model)]
    figures: dict[str, Any] = {"parameters": parameters, "trained": model.trained, "input": model.input.kind}
    trial = _trial(model, folder, sounds)
    if trial is None:
        what = "It was not run on recordings: its data set is not on this machine."
        advice = "Name recordings to run it on: wavecast doctor RECORDINGS --model MODEL."
        findings.append(Finding("fine", "trial", what, advice))
    else:
        figures["trial"] = trial.figures()
        findings += _trial_findings(trial)
    if all(finding.severity == "fine" for finding in findings):
        findings.append(Finding("fine", "model", "Nothing is wrong with the model."))
    architecture = model.model.cell if model.model.architecture == "predictor" else model.model.architecture
    summary = f"{model.input.kind}, {architecture}, {model.model.head}, {parameters:,} parameters"
    return Examination(named, "model", summary, figures, worst_first(findings))


def _weights(model: "TrainedModel") -> Iterator[Finding]:
    dead = [
        name for name, weight in model.network.named_parameters() if weight.dim() > 1 and not weight.any()
    ]
    if dead:
        some = counted(len(dead), "matrix is", "matrices are")
        what = f"{some} all zeros, such as {dead[0]}, as if never trained."
        yield Finding("warning", "untrained", what, TRAIN_ANEW)


def _facts(model: "TrainedModel") -> dict[str, Any]:
    """Return the recorded facts about the training; an empty table if the folder has none."""
    return model.trained if isinstance(model.trained, dict) else {}


def _training(model: "TrainedModel") -> Iterator[Finding]:
    trained = _facts(model)
    updates = trained.get("updates")
    if updates is None:
        what = "Its files have no record of how it was trained."
        yield Finding("warning", "origin", what, "Keep the run folder together with the model.")
        return
    what = f"It was trained for {counted(updates, 'update')} in {duration(trained.get('elapsed_s', 0))}"
    what += f" ({counted(trained.get('epochs', 0), 'pass', 'passes')})"
    if updates < FEW_UPDATES:
        yield Finding("warning", "training", f"{what}, which is very short.", "Train longer (train.epochs).")
    elif trained.get("best_epoch") == trained.get("epochs"):
        advice = "Training longer may help: its last pass was its best."
        yield Finding("fine", "training", f"{what}.", advice)
    else:
        yield Finding("fine", "training", f"{what}; the best was pass {trained.get('best_epoch')}.")
    valid = trained.get("valid_nats_per_step")
    if isinstance(valid, float) and not math.isfinite(valid):
        yield Finding("problem", "validation", "Its validation figure is not finite.", TRAIN_ANEW)


def _engine(model: "TrainedModel") -> Iterator[Finding]:
    if (reason := model.why_not_compiled) is not None:
        yield Finding(
            "fine", "engine", f"It generates in torch instead of compiled loops, which is slower: {reason}."
        )


def _evaluation(folder: Path) -> Iterator[Finding]:
    """Compare the recorded evaluation with the baselines, if the model lies in its run folder."""
    try:
        found = read_evaluation(folder.parent / "artifacts")
        own, baselines, split = found["model"], found["baselines"], found["split"]
        unit = "bits_per_sample" if own.get("bits_per_sample") is not None else "nats_per_step"
        figures = {name: x[unit] for name, x in baselines.items() if x.get(unit) is not None}
        yield from beside_baselines(own[unit], figures, unit.replace("_", " "), f"On its {split} split")
    except (UserError, KeyError, TypeError, AttributeError):
        return


def beside_baselines(
    own: float, baselines: dict[str, float], unit: str, where: str, severity: Severity = "problem"
) -> Iterator[Finding]:
    """Compare one figure with those of the baselines; lower is better.

    Args:
        own: figure of the model.
        baselines: figures by name of the baseline.
        unit: of the figures.
        where: the data, as the beginning of a sentence.
        severity: of the finding if a baseline is better than the model.

    Yields:
        One finding.
    """
    listed = ", ".join(f"{name} {value:.2f}" for name, value in baselines.items())
    worse = [name for name, value in baselines.items() if value <= own and name not in ADAPTIVE]
    what = f"{where} it needs {own:.2f} {unit} ({listed})."
    if worse:
        advice = f"{worse[-1].capitalize()} is better: train longer, or on more audio of this kind."
        yield Finding(severity, "baselines", what, advice)
    elif baselines.get("FLAC", math.inf) <= own:
        advice = "FLAC adapts to each recording, but a good model needs fewer bits (try configs/heads.yaml)."
        yield Finding("fine", "baselines", what, advice)
    else:
        yield Finding("fine", "baselines", what)


def _trial(model: "TrainedModel", folder: Path, sounds: Sequence[Path]) -> "Trial | None":
    from pipeline.diagnostics.model_trial import run_on_dataset, run_on_sounds

    if sounds:
        return run_on_sounds(model, sounds)
    for dataset in _datasets(model, folder):
        try:
            return run_on_dataset(model, dataset)
        except (UserError, OSError):
            continue
    return None


def _datasets(model: "TrainedModel", folder: Path) -> Iterator[Path]:
    """Yield the possible paths of the data set that the model was trained on."""
    with suppress(UserError):
        yield RunFolder(folder.parent).dataset
    fingerprint = str(_facts(model).get("data_fingerprint", ""))
    if fingerprint.isalnum():
        yield from sorted((data_dir() / "prepared").glob(f"*/{fingerprint}/dataset.json"))


def _trial_findings(trial: "Trial") -> Iterator[Finding]:
    if trial.baselines:
        # Only a warning: the baselines are fitted on the scored recordings, the model perhaps on other ones.
        yield from beside_baselines(trial.own, trial.baselines, trial.unit, f"On {trial.where}", "warning")
    yield from _behaviour(trial)


def _behaviour(trial: "Trial") -> Iterator[Finding]:
    """Yield findings on the figures of a trial."""
    if not math.isfinite(trial.own):
        what = f"On {trial.where} its likelihood is not finite."
        yield Finding("problem", "likelihood", what, "Train it again with a lower train.learning_rate.")
    if trial.floored > FLOORED and trial.floored > 2 * trial.constant:
        what = (
            f"{share(trial.floored)} of its scales lie at their floor, though only {share(trial.constant)} of"
            " the samples equal the sample before: its predictions are too narrow for this audio."
        )
        advice = "Raise model.scale_floor, or train with train.loss=discrete."
        yield Finding("warning", "scale-floor", what, advice)
    elif trial.floored > FLOORED:
        what = f"{share(trial.floored)} of its scales lie at their floor, where the audio is constant."
        yield Finding("fine", "scale-floor", what)
    if trial.unused:
        what = f"{trial.unused} of its {trial.components} mixture components are never used."
        severity: Severity = "warning" if trial.unused > trial.components / 2 else "fine"
        yield Finding(severity, "components", what, "Fewer are enough: lower model.mixture_components.")
    if trial.unstable is not None and trial.unstable > WILD:
        what = (
            f"{share(trial.unstable)} of its most likely linear predictors are unstable."
            " Generation stabilises them, so generated audio differs from what the model learnt."
        )
        advice = "Train longer, or with a lower train.learning_rate."
        yield Finding("warning", "unstable", what, advice)
    if trial.still:
        what = f"{trial.still} of {trial.units} units have a constant output."
        severity = "warning" if trial.still > trial.units / 4 else "fine"
        yield Finding(severity, "dead-units", what, "Lower model.hidden_size, or train.learning_rate.")
