"""What a model of notes has to beat: each note by its frequency, and each note by whether it sounded before.

Both are fitted on the training sequences and scored by the protocol of Boulanger-Lewandowski et al. (2012):
each frame but the first of a sequence is predicted; nats are summed over the notes and averaged over the
steps of the whole set.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.errors import UserError
from pipeline.music.midi import Roll


def note_baselines(train: Sequence[Roll], test: Sequence[Roll]) -> dict[str, float]:
    """Nats per step on ``test`` of each baseline fitted on ``train``, both of rolls (T, 88).

    Raises `UserError` where there is no frame to predict.
    """
    if not any(len(roll) > 1 for roll in test):
        raise UserError("no sequence of the split has two steps, so there is nothing to predict")
    counts, scored = _transitions(train), _transitions(test)
    steps = float(scored.sum()) / scored.shape[-1]
    return {
        "note frequencies": _nats(counts.sum(0), scored.sum(0)) / steps,
        "last frame again": _nats(counts, scored) / steps,
    }


def _transitions(rolls: Sequence[Roll]) -> np.ndarray:
    """Steps on which each note went from off or on (first axis) to off or on (second), (2, 2, 88)."""
    width = rolls[0].shape[1] if rolls else 1
    counts = np.zeros((2, 2, width))
    for roll in rolls:
        before, after = roll[:-1] > 0, roll[1:] > 0
        for was, now in np.ndindex(2, 2):
            counts[was, now] += ((before == was) & (after == now)).sum(0)
    return counts


def _nats(counts: np.ndarray, scored: np.ndarray) -> float:
    """Nats of ``scored`` outcomes (..., 2, 88) at the frequencies of ``counts``, of the same shape.

    Half a step is added to each count, so that what never happened in training stays possible (Krichevsky
    and Trofimov 1981).
    """
    smoothed = counts + 0.5
    probability = smoothed / smoothed.sum(-2, keepdims=True)
    return float(-(scored * np.log(probability)).sum())
