"""Coding of samples under the experts whose mixture a network changes, by binary decisions.

As in `pipeline.compression.expert_search`, each decision's probability is that of the right half of the
current interval, here under the mixture of `models.adaptive.guided` and a small uniform share.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptive import guided
from models.adaptive.cells import Cells
from models.adaptive.experts import UNIFORM_SHARE
from models.adaptive.guided import EXPERTS, Guided, inputs_size, new_guided
from models.compiled.simd import compiled
from pipeline.coding import range_coder
from pipeline.coding.range_coder import Bytes, State
from pipeline.compression import logistic_search as logistic
from pipeline.compression.logistic_search import ROWS
from pipeline.compression.network_mixture import projection_of
from pipeline.model.trained_model import TrainedModel

Floats = NDArray[np.float64]


class GuidedCode:
    """Codes the integers of one channel, step by step.

    Args:
        cells: the M values that a sample may take.
        model: model of waveforms whose head stands on adaptive predictions.
    """

    def __init__(self, cells: Cells, model: TrainedModel) -> None:
        self._cells, self._hop = cells, model.framing.hop
        self._state, self._project = new_guided(model.framing.window), projection_of(model)
        self._inputs = np.zeros(inputs_size(model.framing.window), np.float32)
        self._room = np.zeros((ROWS, EXPERTS))

    def code(self, stream: State, data: Bytes, places: NDArray[np.int64], decoding: bool) -> None:
        """Encode the next places (n,), or decode them into the array."""
        for first in range(0, len(places), self._hop):
            guided.write_inputs(self._state, self._inputs)
            guided.set_changes(self._state, self._project(self._inputs))
            step = places[first : first + self._hop]
            _code(stream, data, self._state, self._cells, self._room, step, decoding)

    def of_step(self) -> tuple[NDArray[Any], ...]:
        """Return what the network read and emitted, and the mixture of the last sample."""
        state = self._state
        return self._inputs, state.changes, state.mean, state.inverse, state.weights

    def of_recording(self) -> tuple[NDArray[Any], ...]:
        """Return the predictions and the weights by likelihood, which depend on all samples."""
        return self._state.predictor.predictions, self._state.log_weights, self._state.running


@compiled
def _code(
    stream: State,
    data: Bytes,
    state: Guided,
    cells: Cells,
    search: Floats,
    places: NDArray[Any],
    decoding: bool,
) -> None:
    """Code the samples of one step, after `models.adaptive.guided.set_changes`.

    Args:
        stream, data: of the range coder.
        state: the experts, which are updated.
        cells: the M values that a sample may take.
        search: (ROWS, EXPERTS) room for the search of a sample, see `pipeline.compression.logistic_search`.
        places: (n,) the samples' places among all M values, from 0; filled in where ``decoding``.
        decoding: whether the samples are decoded; else they are encoded.
    """
    values, bounds = cells.values, cells.bounds
    for n in range(places.size):
        guided.predict(state)
        guided.mix(state)
        places[n] = _find(stream, data, state, bounds, search, places[n], decoding)
        guided.learn(state, values[places[n]])


@compiled
def _find(
    stream: State, data: Bytes, state: Guided, bounds: Floats, search: Floats, known: int, decoding: bool
) -> int:
    """Code the decisions on a sample, and return its place."""
    logistic.begin(search)
    size = bounds.size - 1
    share = UNIFORM_SHARE / size
    low, half = 0, logistic.first_half(size)
    while half:
        middle = low + half
        if middle < size:
            left, right = logistic.halves(search, state.mean, state.inverse, state.weights, bounds[middle])
            probability = logistic.of_right(left, right, middle, half, size, share)
            known_bit = 1 if known >= middle else 0
            bit = range_coder.code(stream, data, known_bit, probability, decoding)
            logistic.narrow(search, bit)
            low += half * bit
        half >>= 1
    return low
