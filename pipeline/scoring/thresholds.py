"""Anomaly thresholds on the negative log-likelihood: fitted on normal recordings, applied to others.

The figure is exact bits per sample where the model has them, nats per step otherwise. A last window that is
shorter than the others counts only where it is the only one. A mean over few values has a larger variance
and would cause false alarms.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.files import read_json, write_json
from pipeline.common.hashing import digest_file
from pipeline.errors import UserError
from pipeline.scoring.windows import Figures, RecordingScore

MOST_BYTES = 1 << 20
SHOWN_OF_VALUE = 60
FORMAT = "wavecast-threshold-1"


@dataclass(frozen=True)
class Threshold:
    """A quantile of the negative log-likelihood over all windows of normal recordings.

    Attributes:
        figure: `bits_per_sample` or `nats_per_step`.
        value: the threshold, in the unit of ``figure``.
        quantile: above 0, at most 1, which is the highest window of all.
        window_s: length of a window in seconds.
        model: SHA-256 of the model's weights.
        recordings, stretches: number of recordings and windows that it was fitted on.
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
    """Result of the comparison of a recording with a threshold.

    Attributes:
        above: number of windows above the threshold.
        stretches: number of all windows.
        highest: the highest window's figure.
        highest_at_s: start of the highest window in seconds.
    """

    above: int
    stretches: int
    highest: float
    highest_at_s: float


def model_identity(folder: Path) -> str:
    """Return the SHA-256 of a model's weights, in hexadecimal digits."""
    return digest_file(folder / "model.safetensors")


def judged_stretches(score: RecordingScore) -> Figures:
    """Return the figures (S,) of the windows of full length, or of the only window."""
    whole = int((score.values == score.values[0]).sum())
    return score.series[:whole]


def check_quantile(quantile: float) -> None:
    """Raise `UserError` where the quantile is not above 0 and at most 1."""
    if not 0 < quantile <= 1:
        raise UserError(f"the quantile must be above 0 and at most 1, not {quantile:g}", 2)


def make_threshold(scores: Sequence[RecordingScore], quantile: float, model: str) -> Threshold:
    """Return a threshold that is fitted on normal recordings.

    Args:
        scores: their scores, all with one model and one window.
        quantile: share of the windows that are not above the threshold.
        model: see `model_identity`.

    Raises:
        UserError: the quantile is not above 0 and at most 1.
    """
    check_quantile(quantile)
    stretches = np.concatenate([judged_stretches(score) for score in scores])
    value = float(np.quantile(stretches, quantile, method="inverted_cdf"))
    first = scores[0]
    return Threshold(first.figure, value, quantile, first.window_s, model, len(scores), len(stretches))


def write_threshold(path: Path, threshold: Threshold) -> None:
    """Write a threshold as JSON, atomically.

    Args:
        path: the file, which is replaced if it exists.
        threshold: the threshold.
    """
    write_json(path, {"format": FORMAT, **asdict(threshold)})


def read_threshold(path: Path) -> Threshold:
    """Read a threshold that `write_threshold` wrote.

    Raises:
        UserError: the file is not a threshold, or it is damaged.
    """
    content = read_json(path, "threshold", Any, most_bytes=MOST_BYTES)
    names = {"figure": str, "model": str, "recordings": int, "stretches": int}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: not a threshold of this version of wavecast (format {FORMAT})")
    for field in fields(Threshold):
        found, kinds = content.get(field.name), names.get(field.name, (int, float))
        if not isinstance(found, kinds) or (isinstance(found, float) and not math.isfinite(found)):
            shown = repr(found)[:SHOWN_OF_VALUE]
            raise UserError(
                f"{path}: damaged threshold ({field.name}: {shown}); make it again with --make-threshold"
            )
    return Threshold(**{field.name: content[field.name] for field in fields(Threshold)})


def check_same_scoring(threshold: Threshold, model: str, window_s: float) -> None:
    """Check that a threshold may be applied to scores of a model and window.

    Args:
        threshold: the threshold.
        model: see `model_identity`.
        window_s: length of a window in seconds.

    Raises:
        UserError: the threshold was fitted with another model or window.
    """
    if threshold.model != model:
        raise UserError(
            f"the threshold was made with another model (weights {threshold.model[:12]}..., not "
            f"{model[:12]}...); make a threshold with this model"
        )
    if not math.isclose(threshold.window_s, window_s):
        raise UserError(
            f"the threshold was made with windows of {threshold.window_s:g} s, not {window_s:g} s; leave out "
            "--window, or make a threshold with this window"
        )


def judge(score: RecordingScore, threshold: Threshold) -> Verdict:
    """Return the comparison of a recording with a threshold.

    Args:
        score: the recording's score.
        threshold: fitted with the same model and window, see `check_same_scoring`.
    """
    stretches = judged_stretches(score)
    highest = int(stretches.argmax())
    above = int((stretches > threshold.value).sum())
    return Verdict(above, len(stretches), float(stretches[highest]), float(score.start_s[highest]))
