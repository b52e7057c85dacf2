"""Coding of samples under the experts whose mixture a network changes, by binary decisions.

As in `pipeline.compression.expert_search`, each decision's probability is that of the right half of the
current interval, here under the mixture of `models.adaptive.guided` and a small uniform share.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptive import guided
from models.adaptive.guided import EXPERTS, Guided, inputs_size, new_guided
from models.compiled.simd import compiled
from pipeline.compression import logistic_search as logistic
from pipeline.compression import range_coder
from pipeline.compression.logistic_search import ROWS
from pipeline.compression.network_mixture import projection_of
from pipeline.compression.range_coder import Bytes, State
from pipeline.model.trained_model import TrainedModel

Floats = NDArray[np.float64]


class GuidedCode:
    """Codes the integers of one channel, step by step.

    Args:
        depth: bits of an integer.
        model: model of waveforms whose head stands on adaptive predictions.
    """

    def __init__(self, depth: int, model: TrainedModel) -> None:
        self._depth, self._hop = depth, model.framing.hop
        self._state, self._project = new_guided(model.framing.window), projection_of(model)
        self._inputs = np.zeros(inputs_size(model.framing.window), np.float32)
        self._room = np.zeros((ROWS, EXPERTS))

    def code(self, stream: State, data: Bytes, places: NDArray[np.int64], decoding: bool) -> None:
        """Encode the next places (n,), or decode them into the array."""
        for first in range(0, len(places), self._hop):
            guided.write_inputs(self._state, self._inputs)
            guided.set_changes(self._state, self._project(self._inputs))
            step = places[first : first + self._hop]
            _code(stream, data, self._state, self._room, self._depth, step, decoding)

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
    search: Floats,
    levels: int,
    places: NDArray[Any],
    decoding: bool,
) -> None:
    """Code the samples of one step, after `models.adaptive.guided.set_changes`.

    Args:
        stream, data: of the range coder.
        state: the experts, which are updated.
        search: (ROWS, EXPERTS) room for the search of a sample, see `pipeline.compression.logistic_search`.
        levels: L, bits of an integer.
        places: (n,) the integers' places among all 2^L, from 0; filled in where ``decoding``.
        decoding: whether the samples are decoded; else they are encoded.
    """
    half = 1 << (levels - 1)
    for n in range(places.size):
        guided.predict(state)
        guided.mix(state)
        places[n] = _find(stream, data, state, search, levels, places[n], decoding)
        guided.learn(state, np.float64(places[n] - half))


@compiled
def _find(
    stream: State, data: Bytes, state: Guided, search: Floats, levels: int, known: int, decoding: bool
) -> int:
    """Code the decisions on a sample, and return its place."""
    logistic.begin(search)
    low, half = 0, 1 << (levels - 1)
    while half:
        bound = np.float64(low + half - (1 << (levels - 1))) - 0.5
        left, right = logistic.halves(search, state.mean, state.inverse, state.weights, bound)
        probability = logistic.of_right(left, right, half, levels)
        known_bit = 1 if known >= low + half else 0
        bit = range_coder.code(stream, data, known_bit, probability, decoding)
        logistic.narrow(search, bit)
        low += half * bit
        half >>= 1
    return low
