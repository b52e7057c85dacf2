"""Examination of a training run: is it alive, is it learning, does it overfit, is it sent to MLflow."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.common.text import duration
from pipeline.diagnostics.findings import Examination, Finding, counted, share, worst_first
from pipeline.errors import UserError
from pipeline.tracking.run_folder import RunFolder, journal_lines

VALID, TRAIN, SKIPPED = "valid/nats_per_step", "train/nats_per_step", "train/skipped_updates"
LEAST_GAIN = 0.02  # nats a step, from the first pass to the best
RISE = 0.05  # of what validation gained, lost again since the best pass
GAP = 0.5  # of what training gained, between training and validation at the end
OLD_CHECKPOINT_S = 3600.0
MANY_SKIPPED = 0.01


def examine_run(path: Path) -> Examination:
    """Examine the run in folder ``path``.

    Raises:
        UserError: the run folder is damaged.
    """
    run = RunFolder(path)
    try:
        description, status, config = run.description(), run.status(), run.config()
        state = str(status["status"])
    except (ValueError, KeyError, TypeError) as problem:
        raise UserError(f"{path}: damaged run ({' '.join(str(problem).split())[:120]})") from None
    lines, unreadable = _lines(run)
    valid, train = _curve(lines, VALID), _curve(lines, TRAIN)
    findings = [*_state(run, state, status, lines), *_learning(valid, train, config.train.patience_epochs)]
    findings += [*_skipped(lines, status), *_device(status, config.train.device), *_record(run)]
    if unreadable:
        what = f"{counted(unreadable, 'line')} of its journal cannot be read."
        findings.append(
            Finding("warning", "journal", what, "Its plotted curves have gaps; its model is not affected.")
        )
    done = int(lines[-1]["step"]) if lines else 0
    figures = {"status": state, "updates": done, "passes": len(valid), "validation": valid}
    figures |= {"summary": status.get("summary", {}), "device": status.get("device")}
    summary = f"{state}, {counted(done, 'update')}, {counted(len(valid), 'pass', 'passes')}"
    named = f"{path} ({description.get('variant', '')})" if description.get("variant") else str(path)
    return Examination(named, "run", summary, figures, worst_first(findings))


def _lines(run: RunFolder) -> tuple[list[dict[str, Any]], int]:
    """Return the readable lines of the journal, and the number of unreadable ones."""
    if not run.journal.exists():
        return [], 0
    return journal_lines(run.journal_bytes())


def _curve(lines: list[dict[str, Any]], name: str) -> list[float]:
    found = (line["metrics"].get(name) for line in lines)
    return [float(value) for value in found if isinstance(value, int | float)]


def _state(
    run: RunFolder, state: str, status: dict[str, Any], lines: list[dict[str, Any]]
) -> Iterator[Finding]:
    again = f"Resume it: `wavecast train --resume {run.path}`."
    if state == "failed":
        yield Finding("problem", "failed", f"It failed: {status.get('reason', 'no reason is known')}", again)
    elif state == "pruned":
        yield Finding("fine", "pruned", f"A search has ended it early: {status.get('reason', '')}.", again)
    elif state == "finished" and not (run.model / "config.json").is_file():
        what = "It is finished, but its model is missing."
        yield Finding("problem", "model", what, "Delete the folder and train again.")
    elif state == "finished":
        what = f"It is finished; `wavecast doctor {run.model}` examines its model."
        yield Finding("fine", "finished", what)
    elif _is_trained(run):
        yield Finding("fine", "running", f"It is being trained now{_age(run)}.")
        if (age_s := _checkpoint_age_s(run)) is not None and age_s > OLD_CHECKPOINT_S:
            what = f"Its last checkpoint is {duration(age_s)} old; that much is lost if it is stopped now."
            advice = "Lower train.checkpoint_updates, or check whether it hangs."
            yield Finding("warning", "checkpoint", what, advice)
    else:
        what = f"It stopped before its end: no process is training it{_age(run)}."
        yield Finding("warning", "stopped", what, again)
    if state != "finished":
        yield from _can_go_on(run, lines)


def _can_go_on(run: RunFolder, lines: list[dict[str, Any]]) -> Iterator[Finding]:
    """Check that the checkpoint and the data set of an unfinished run exist."""
    if not run.dataset.is_file():
        what = f"It cannot be resumed: its data set {run.dataset} is missing."
        yield Finding("problem", "data", what, "Prepare the recordings again with the same settings.")
    if run.last_checkpoint.exists():
        import torch

        from pipeline.training.checkpoint import read_checkpoint

        try:
            read_checkpoint(run.last_checkpoint, torch.device("cpu"))
        except UserError as problem:
            yield Finding("problem", "checkpoint", f"It cannot be resumed: {problem}.", f"Delete {run.path}.")
    elif lines:
        yield Finding(
            "warning", "checkpoint", "It has no checkpoint.", "If resumed, it starts again at update 0."
        )


def _is_trained(run: RunFolder) -> bool:
    """Return whether another process holds the run's lock."""
    path = run.path / ".training.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a read-only folder
        return False


def _checkpoint_age_s(run: RunFolder) -> float | None:
    return time.time() - run.last_checkpoint.stat().st_mtime if run.last_checkpoint.exists() else None


def _age(run: RunFolder) -> str:
    age_s = _checkpoint_age_s(run)
    return "" if age_s is None else f", the last checkpoint is {duration(max(age_s, 0))} old"


def _learning(valid: list[float], train: list[float], patience: int) -> Iterator[Finding]:
    """Compare the curves of validation and training."""
    if not valid:
        yield Finding("fine", "validation", "It has not been validated yet.")
        return
    finite = [value for value in valid if math.isfinite(value)]
    if not finite:
        what = "No validation figure is finite."
        yield Finding("problem", "validation", what, "Lower train.learning_rate and train again.")
        return
    best = min(finite)
    at = valid.index(best) + 1
    gained, since = finite[0] - best, len(valid) - at
    course = f"Validation fell from {finite[0]:.3f} to {best:.3f} nats per step, best after pass {at}"
    course += f" of {len(valid)}"
    lost = finite[-1] - best
    if len(valid) >= 3 and gained < LEAST_GAIN:
        what = f"It does not learn: {course[0].lower()}{course[1:]}."
        advice = "Try another train.learning_rate (a tenth, or three times), and examine the recordings."
        yield Finding("warning", "no-progress", what, advice)
    elif since and lost > max(RISE * gained, LEAST_GAIN) and train and train[-1] < finite[-1]:
        what = f"It overfits the training recordings: {course}, and {lost:.3f} worse since."
        advice = "The best pass is kept. Add audio, train a smaller model, or set train.weight_noise."
        yield Finding("warning", "overfitting", what, advice)
    elif since >= max(3, patience):
        what = f"It has not improved for {since} passes: {course}."
        yield Finding("fine", "validation", what, "It has converged; other settings may be better.")
    else:
        advice = "It was still improving: more passes may help." if not since and len(valid) > 1 else ""
        yield Finding("fine", "validation", f"{course}.", advice)
    yield from _gap(train, finite[-1])


def _gap(train: list[float], valid: float) -> Iterator[Finding]:
    if len(train) < 10:
        return
    tail = len(train) // 10
    begin, end = sum(train[:tail]) / tail, sum(train[-tail:]) / tail
    if begin > end and valid - end > GAP * (begin - end):
        what = f"The training loss ({end:.3f} nats per step) is far below the validation loss ({valid:.3f})."
        advice = "Add training recordings: there are too few, or they differ from the held-out ones."
        yield Finding("warning", "gap", what, advice)


def _skipped(lines: list[dict[str, Any]], status: dict[str, Any]) -> Iterator[Finding]:
    counts = [*_curve(lines, SKIPPED), float(status.get("summary", {}).get("skipped_updates", 0))]
    skipped, updates = int(max(counts)), int(lines[-1]["step"]) if lines else 0
    if skipped:
        part = skipped / max(updates, skipped)
        what = f"{counted(skipped, 'update')} ({share(part)}) had no finite loss and were skipped."
        severity: Any = "problem" if part > MANY_SKIPPED else "warning"
        yield Finding(severity, "skipped", what, "Lower train.learning_rate or train.clip_norm.")


def _device(status: dict[str, Any], wanted: str) -> Iterator[Finding]:
    device = status.get("device")
    if not device:
        return
    if str(device).startswith("CPU") and wanted == "auto":
        import torch

        if torch.cuda.is_available():
            what = f"It was trained on {device}, though this machine has a GPU."
            yield Finding("warning", "device", what, "Stop and resume it: it then uses the GPU.")
            return
    yield Finding("fine", "device", f"It was trained on {device}.")


def _record(run: RunFolder) -> Iterator[Finding]:
    from pipeline.tracking.sync_state import has_pending

    if has_pending(run):
        what = "A part of its record has not been sent to the tracking server."
        yield Finding("warning", "unsent", what, "The next training or `wavecast ui` sends the rest.")
