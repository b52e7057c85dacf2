"""Detection metrics of labelled recordings: AUC and partial AUC of their negative log-likelihood."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.places import Place, is_address, place_of, rooted
from pipeline.common.tables import read_table
from pipeline.errors import UserError
from pipeline.scoring.thresholds import judged_stretches
from pipeline.scoring.windows import RecordingScore

MEANINGS = {"1": True, "anomalous": True, "0": False, "normal": False}
MAX_FALSE_ALARMS = 0.1
"""Highest false alarm rate of the partial AUC, as in the DCASE challenges on machine sounds."""


def read_labels(path: Path) -> dict[Place, bool]:
    """Read a table of labels.

    Args:
        path: CSV file with the columns `path`, relative to the table, and `label`: 1 or anomalous, 0 or
            normal.

    Returns:
        For the absolute path of each recording, True where it is anomalous.

    Raises:
        UserError: a column or a path is missing, a label is unknown, or a recording has both labels.
    """
    labels: dict[Place, bool] = {}
    for place, row in read_table(path, ["path", "label"]):
        name, label = row["path"].strip(), row["label"].strip()
        if not name:
            raise UserError(f"{place}: the path is missing")
        if label.lower() not in MEANINGS:
            raise UserError(f"{place}: label {label!r} is none of 1, anomalous, 0, normal")
        recording = rooted(place_of(name) if is_address(name) else path.parent / name)
        anomalous = MEANINGS[label.lower()]
        if labels.setdefault(recording, anomalous) != anomalous:
            raise UserError(f"{place}: {name} is labelled both normal and anomalous")
    return labels


def labels_of(recordings: Sequence[Place], labels: Mapping[Place, bool]) -> dict[Place, bool]:
    """Return the labels of some recordings.

    Args:
        recordings: places.
        labels: whether each recording is anomalous, by absolute path or address.

    Raises:
        UserError: a recording has no label, or all recordings have the same label.
    """
    for path in recordings:
        if rooted(path) not in labels:
            raise UserError(f"{path}: no row in the table of labels; add one, or leave the recording out")
    found = {path: labels[rooted(path)] for path in recordings}
    _check_both_kinds(list(found.values()))
    return found


def _check_both_kinds(truth: Sequence[bool]) -> None:
    if len(set(truth)) < 2:
        kind = "anomalous" if any(truth) else "normal"
        raise UserError(f"all {len(truth)} labelled recordings are {kind}: AUC needs both kinds")


def separation(scores: Mapping[Place, RecordingScore], labels: Mapping[Place, bool]) -> dict[str, Any]:
    """Return how well the negative log-likelihood separates anomalous from normal recordings.

    Args:
        scores: the score of each recording.
        labels: for each recording, True where it is anomalous.

    Returns:
        The number of `normal` and `anomalous` recordings, and the areas for two detection scores: the `mean`
        over a recording and the `maximum` over its windows. `auc` is the area under the receiver operating
        characteristic. `pauc` is its part up to a false alarm rate of 0.1, standardised after McClish
        (1989), so that chance has 0.5.

    Raises:
        UserError: all recordings have the same label, or scikit-learn is missing.
    """
    truth = [labels[path] for path in scores]
    _check_both_kinds(truth)
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
