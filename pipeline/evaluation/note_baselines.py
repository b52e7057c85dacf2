"""Baselines of notes: each note by its frequency, and each note by whether it sounded before.

Both are fitted on the training sequences and scored by the protocol of Boulanger-Lewandowski et al. (2012):
each frame but the first of a sequence is predicted; nats are summed over the notes and averaged over the
steps of the whole set.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.errors import UserError
from pipeline.evaluation.baseline import Comparison, Figures
from pipeline.features.representation import Representation
from pipeline.music.midi import KEYS, Roll


def are_notes(representation: Representation) -> bool:
    """Whether rows are notes on and off."""
    return representation.notes is not None


def frequencies(comparison: Comparison) -> Figures:
    """Return the figures of each note's frequency in the training split."""
    return _figures(frequency_nats, comparison)


def last_frame(comparison: Comparison) -> Figures:
    """Return the figures of each note's frequency after a step with the note, and after one without."""
    return _figures(last_frame_nats, comparison)


def frequency_nats(train: Sequence[Roll], test: Sequence[Roll]) -> float:
    """Return nats per step of each note's frequency.

    Args:
        train: rolls (T, 88) that the frequencies are counted in.
        test: rolls (T, 88) that are scored.

    Raises:
        UserError: there is no frame to predict.
    """
    scored = _scored(test)
    return _nats(_transitions(train).sum(0), scored.sum(0)) / _steps(scored)


def last_frame_nats(train: Sequence[Roll], test: Sequence[Roll]) -> float:
    """Return nats per step of each note's frequency after a step with the note, and after one without.

    Arguments and errors are those of `frequency_nats`.
    """
    scored = _scored(test)
    return _nats(_transitions(train), scored) / _steps(scored)


def _figures(nats: Callable[[Sequence[Roll], Sequence[Roll]], float], comparison: Comparison) -> Figures:
    train, scored = ([rows.numpy() for rows in each] for each in (comparison.train(), comparison.scored()))
    return Figures(nats(train, scored) / KEYS, None)


def _scored(rolls: Sequence[Roll]) -> np.ndarray:
    if not any(len(roll) > 1 for roll in rolls):
        raise UserError("no sequence of the split has two steps, so there is nothing to predict")
    return _transitions(rolls)


def _steps(transitions: np.ndarray) -> float:
    return float(transitions.sum()) / int(transitions.shape[-1])


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
