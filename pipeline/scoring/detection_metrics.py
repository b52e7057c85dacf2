"""How well surprise parts anomalous from normal recordings, by a table of labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.files import absolute
from pipeline.common.tables import read_table
from pipeline.errors import UserError
from pipeline.scoring.thresholds import judged_stretches
from pipeline.scoring.windows import RecordingScore

MEANINGS = {"1": True, "anomalous": True, "0": False, "normal": False}
MAX_FALSE_ALARMS = 0.1
"""Of the partial area, as in the DCASE challenges on the sound of machines."""


def read_labels(path: Path) -> dict[Path, bool]:
    """Whether each recording of a table is anomalous.

    The table is a CSV with the columns `path`, relative to it, and `label`: 1 or anomalous, 0 or normal.
    Raises `UserError` for anything else.
    """
    labels: dict[Path, bool] = {}
    for place, row in read_table(path, ["path", "label"]):
        name, label = row["path"].strip(), row["label"].strip()
        if not name:
            raise UserError(f"{place}: no path")
        if label.lower() not in MEANINGS:
            raise UserError(f"{place}: label {label!r} is none of 1, anomalous, 0, normal")
        recording = absolute(path.parent / name)
        anomalous = MEANINGS[label.lower()]
        if labels.setdefault(recording, anomalous) != anomalous:
            raise UserError(f"{place}: {name} is labelled both normal and anomalous")
    return labels


def labels_of(recordings: Sequence[Path], labels: Mapping[Path, bool]) -> dict[Path, bool]:
    """The labels of these recordings; `UserError` where one has none, or all have the same."""
    for path in recordings:
        if absolute(path) not in labels:
            raise UserError(f"{path}: no row in the table of labels; add one, or leave the recording out")
    found = {path: labels[absolute(path)] for path in recordings}
    _refuse_one_kind(list(found.values()))
    return found


def _refuse_one_kind(truth: Sequence[bool]) -> None:
    if len(set(truth)) < 2:
        kind = "anomalous" if any(truth) else "normal"
        raise UserError(f"all of {len(truth)} labelled recordings are {kind}: AUC takes both kinds")


def separation(scores: Mapping[Path, RecordingScore], labels: Mapping[Path, bool]) -> dict[str, Any]:
    """How well the surprise parts anomalous from normal recordings.

    Returns, for the `mean` surprise of a recording and for the `maximum` over its stretches, the area under
    the receiver operating characteristic (`auc`), and the part of it up to a false alarm rate of 0.1,
    standardised after McClish (1989) so that chance has 0.5 (`pauc`).

    Raises `UserError` where all recordings have the same label.
    """
    truth = [labels[path] for path in scores]
    _refuse_one_kind(truth)
    means = [float(np.average(score.series, weights=score.values)) for score in scores.values()]
    maxima = [float(judged_stretches(score).max()) for score in scores.values()]
    return {
        "normal": truth.count(False),
        "anomalous": truth.count(True),
        "mean": _areas(truth, means),
        "maximum": _areas(truth, maxima),
    }


def _areas(truth: Sequence[bool], values: Sequence[float]) -> dict[str, float]:
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError:
        raise UserError("--labels needs scikit-learn: pip install scikit-learn") from None
    partial = roc_auc_score(truth, values, max_fpr=MAX_FALSE_ALARMS)
    return {"auc": float(roc_auc_score(truth, values)), "pauc": float(partial)}
