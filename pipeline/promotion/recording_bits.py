"""Code length of single recordings under a model, and which models can be compared by it.

A waveform model assigns an exact probability to every 16-bit sample of a recording, the first included, at
any window and hop: `Framing` predicts every sample once. So waveform models of one sample rate are compared
by bits per sample, whatever else differs. At another rate the samples are others, and figures of the two
cannot be subtracted. For notes the probability of a time step is exact as well. Spectrograms are real
numbers; their density is compared, in one unit, among models with the same settings of the frames.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.inputs import row_settings
from pipeline.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.model.trained_model import TrainedModel

PORTION_BYTES = 1 << 27
"""Rows that are scored in one call, so that memory stays flat."""
VERSION = 2
"""Raise it when scores change their meaning, so that kept ones are computed again."""


def unit_of(model: "TrainedModel") -> str:
    """Return the word for one predicted row: `sample`, `time step` or `frame`."""
    if model.representation.rows_are_samples:
        return "sample"
    return "frame" if model.representation.notes is None else "time step"


def differences(model: "TrainedModel", champion: "TrainedModel") -> list[str]:
    """Return why two models predict different sequences, in words; empty where they can be compared."""
    ours, theirs = row_settings(model.input), row_settings(champion.input)
    keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    if "kind" in keys:
        keys = ["kind"]
    return [f"input.{key} is {ours.get(key)}, the champion's {theirs.get(key)}" for key in keys]


def recording_bits(model: "TrainedModel", recordings: Sequence["Tensor"]) -> list[tuple[float, int]]:
    """Score recordings, each from the initial state.

    Args:
        model: with its network on the device that is to compute.
        recordings: rows (N, width) of each, as stored.

    Returns:
        For each recording its code length in bits and the number of predicted rows.

    Raises:
        UserError: the model assigns no exact probability to samples.
    """
    found = []
    for portion in _portions(recordings):
        found += _score(model, portion)
    return found


def _score(model: "TrainedModel", recordings: Sequence["Tensor"]) -> list[tuple[float, int]]:
    import torch

    from pipeline.data.dataset import SplitRows
    from pipeline.evaluation.nll import score

    length = torch.tensor([len(rows) for rows in recordings])
    data = SplitRows(
        torch.cat(list(recordings)).to(model.device),
        (length.cumsum(0) - length).to(model.device),
        length.to(model.device),
    )
    scores = score(model.network, data, model.framing, model.normaliser(), exact=True, visible=True)
    values = scores.values.cpu().numpy()
    if model.representation.quantised:
        if scores.bits is None:
            raise UserError(f"its head ({model.model.head}) gives no exact probability of samples")
        bits = scores.bits.cpu().numpy()
    else:  # densities in the units of the rows, not of the model's normalisation
        nats = scores.nats.cpu().numpy() + values * float(np.mean(np.log(model.normalisation.std)))
        bits = nats / math.log(2)
    rows = values / model.representation.row_width
    return [(float(total), round(float(count))) for total, count in zip(bits, rows, strict=True)]


def _portions(recordings: Sequence["Tensor"]) -> Iterator[list["Tensor"]]:
    portion: list[Tensor] = []
    size = 0
    for rows in recordings:
        if portion and size + rows.nbytes > PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(rows)
        size += rows.nbytes
    if portion:
        yield portion
