"""Thresholds on surprise, learnt from normal recordings, and holding others against them.

A recording is judged by its stretches: exact bits per sample where the model has them, nats per step
otherwise. A last stretch that is shorter than the others takes part only where it is alone: a mean over a few
values swings more, and would be taken for something unusual.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.common.files import read_json, write_json
from pipeline.common.hashing import digest_file
from pipeline.errors import UserError
from pipeline.scoring.windows import Figures, RecordingScore

FORMAT = "wavecast-threshold-1"


@dataclass(frozen=True)
class Threshold:
    """The lowest surprise that a share ``quantile`` of all stretches of normal recordings does not pass.

    Attributes:
        figure: `bits_per_sample` or `nats_per_step`.
        value: the threshold, in that figure.
        quantile: above 0, at most 1, which is the highest stretch of all.
        window_s: length of a stretch.
        model: SHA-256 of the model's weights.
        recordings, stretches: how many it was made from.
    """

    figure: str
    value: float
    quantile: float
    window_s: float
    model: str
    recordings: int
    stretches: int


@dataclass(frozen=True)
class Verdict:
    """How many of a recording's ``stretches`` lie above a threshold, and where the highest one begins."""

    above: int
    stretches: int
    highest: float
    highest_at_s: float


def model_identity(folder: Path) -> str:
    """SHA-256 of a model's weights, in hexadecimal digits."""
    return digest_file(folder / "model.safetensors")


def judged_stretches(score: RecordingScore) -> Figures:
    """The surprise of the whole stretches, or of the only one."""
    whole = int((score.values == score.values[0]).sum())
    return score.series[:whole]


def check_quantile(quantile: float) -> None:
    """Raise `UserError` where a threshold cannot be made so."""
    if not 0 < quantile <= 1:
        raise UserError(f"quantile {quantile:g}: it must be above 0 and at most 1", 2)


def make_threshold(scores: Sequence[RecordingScore], quantile: float, model: str) -> Threshold:
    """The threshold that these normal recordings give; they are scored with one model and one window."""
    check_quantile(quantile)
    stretches = np.concatenate([judged_stretches(score) for score in scores])
    value = float(np.quantile(stretches, quantile, method="inverted_cdf"))
    first = scores[0]
    return Threshold(first.figure, value, quantile, first.window_s, model, len(scores), len(stretches))


def write_threshold(path: Path, threshold: Threshold) -> None:
    """Write it as JSON, atomically."""
    write_json(path, {"format": FORMAT, **asdict(threshold)})


def read_threshold(path: Path) -> Threshold:
    """Read what `write_threshold` wrote; a `UserError` for anything else."""
    content = read_json(path, "threshold")
    names = {"figure": str, "model": str, "recordings": int, "stretches": int}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: not a threshold of this version of wavecast (format {FORMAT})")
    for field in fields(Threshold):
        found, kinds = content.get(field.name), names.get(field.name, (int, float))
        if not isinstance(found, kinds) or (isinstance(found, float) and not math.isfinite(found)):
            raise UserError(f"{path}: damaged threshold ({field.name}: {found!r}); make it anew")
    return Threshold(**{field.name: content[field.name] for field in fields(Threshold)})


def refuse_other(threshold: Threshold, model: str, window_s: float) -> None:
    """Raise `UserError` where a threshold is of another model or window: its number means nothing here."""
    if threshold.model != model:
        raise UserError(
            f"the threshold was made with a model of weights {threshold.model[:12]}..., this one's are "
            f"{model[:12]}...: make a threshold with this model"
        )
    if not math.isclose(threshold.window_s, window_s):
        raise UserError(
            f"the threshold is of stretches of {threshold.window_s:g} s, not {window_s:g} s: leave out the "
            "window, or make a threshold of it"
        )


def judge(score: RecordingScore, threshold: Threshold) -> Verdict:
    """Hold a recording against a threshold of the same model and window (see `refuse_other`)."""
    stretches = judged_stretches(score)
    highest = int(stretches.argmax())
    above = int((stretches > threshold.value).sum())
    return Verdict(above, len(stretches), float(stretches[highest]), float(score.start_s[highest]))
