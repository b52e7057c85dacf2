"""Coding of samples under a network and the adaptive experts together, by binary decisions.

A sample is found as in `pipeline.compression.bit_probabilities`. Each decision's probability is that of the
right half of the current interval under the mixture of all: the network's components, the logistic
distributions of `models.adaptive.experts`, and a small uniform share. Encoder and decoder run the same code,
which adapts to each sample after it is known.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive import cascade, experts
from models.adaptive.cascade import Cascade
from models.adaptive.cells import Cells
from models.adaptive.experts import NETWORK, UNIFORM_SHARE, Experts
from models.compiled.simd import compiled
from pipeline.coding import range_coder
from pipeline.coding.range_coder import Bytes, State
from pipeline.compression import bit_probabilities as bits
from pipeline.compression import logistic_search as logistic
from pipeline.compression.bit_probabilities import Mixture

Floats = NDArray[np.float64]


class Adaptive(NamedTuple):
    """What adapts to a recording.

    Attributes:
        predictor: the cascade.
        mixed: the experts.
        cells: the M values that a sample may take.
        search: (ROWS, NETWORK) room for the search of a sample, see `pipeline.compression.logistic_search`.
    """

    predictor: Cascade
    mixed: Experts
    cells: Cells
    search: Floats


class Network(NamedTuple):
    """The network's distribution of a step; without a network its mixture has no components.

    Attributes:
        mixture, kind: as `pipeline.compression.bit_probabilities.read_mixture` filled them in.
        outputs: (D,) the step's normalised samples, filled in as they become known.
        values: (M,) each value normalised, the lowest first.
        bounds: (M + 1,) normalised bounds of the values' intervals.
    """

    mixture: Mixture
    kind: int
    outputs: Floats
    values: NDArray[np.float32]
    bounds: Floats


@compiled
def code(
    stream: State,
    data: Bytes,
    adaptive: Adaptive,
    network: Network,
    places: NDArray[Any],
    decoding: bool,
) -> None:
    """Code the next samples, with a network those of one step.

    Args:
        stream, data: of the range coder.
        adaptive: what adapts, which is updated.
        network: the network's distribution.
        places: (n,) the samples' places among all M values, from 0; filled in where ``decoding``.
        decoding: whether the samples are decoded; else they are encoded.
    """
    predictor, mixed, table = adaptive.predictor, adaptive.mixed, network.mixture[0]
    values, bounds = adaptive.cells.values, adaptive.cells.bounds
    for n in range(places.size):
        cascade.predict(predictor)
        experts.begin(mixed, predictor.predictions)
        if table.shape[1]:
            bits.begin_sample(network.mixture, network.kind, network.outputs, n)
        place = _find(stream, data, adaptive, network, bounds, places[n], decoding)
        places[n] = place
        own = 0.0
        if table.shape[1]:
            own = bits.found_sample(table)
            network.outputs[n] = network.values[place]
        experts.probability(mixed, bounds[place], bounds[place + 1], 1.0, own)
        experts.learn(mixed, predictor.predictions, values[place])
        cascade.learn(predictor, values[place])


@compiled
def _find(
    stream: State,
    data: Bytes,
    adaptive: Adaptive,
    network: Network,
    bounds: Floats,
    known: int,
    decoding: bool,
) -> int:
    """Code the decisions on a sample, and return its place."""
    table, search, size = network.mixture[0], adaptive.search, bounds.size - 1
    share = UNIFORM_SHARE / size
    logistic.begin(search)
    low, half = 0, logistic.first_half(size)
    while half:
        middle = low + half
        if middle < size:
            left, right = _halves(adaptive, network, bounds[middle], middle)
            probability = logistic.of_right(left, right, middle, half, size, share)
            known_bit = 1 if known >= middle else 0
            bit = range_coder.code(stream, data, known_bit, probability, decoding)
            logistic.narrow(search, bit)
            if table.shape[1]:
                bits.narrow(table, bit)
            low += half * bit
        half >>= 1
    return low


@compiled
def _halves(adaptive: Adaptive, network: Network, bound: float, place: int) -> tuple[float, float]:
    """Return the probabilities of both parts of the interval, which ``bound``, that of a place, divides."""
    mixed, count = adaptive.mixed, NETWORK
    left, right = logistic.halves(
        adaptive.search, mixed.mean[:count], mixed.inverse[:count], mixed.weights[:count], bound
    )
    if network.mixture[0].shape[1]:
        of_left, of_right = bits.halves(network.mixture[0], network.bounds[place])
        left += mixed.weights[NETWORK] * of_left
        right += mixed.weights[NETWORK] * of_right
    return left, right
