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
from models.adaptive.experts import NETWORK, Experts
from models.compiled.simd import compiled
from pipeline.compression import bit_probabilities as bits
from pipeline.compression import logistic_search as logistic
from pipeline.compression import range_coder
from pipeline.compression.bit_probabilities import Mixture
from pipeline.compression.range_coder import Bytes, State

Floats = NDArray[np.float64]


class Adaptive(NamedTuple):
    """What adapts to a recording.

    Attributes:
        predictor: the cascade.
        mixed: the experts.
        search: (ROWS, NETWORK) room for the search of a sample, see `pipeline.compression.logistic_search`.
    """

    predictor: Cascade
    mixed: Experts
    search: Floats


class Network(NamedTuple):
    """The network's distribution of a step; without a network its mixture has no components.

    Attributes:
        mixture, kind: as `pipeline.compression.bit_probabilities.read_mixture` filled them in.
        outputs: (D,) the step's normalised samples, filled in as they become known.
        values: (2^L,) each integer normalised, the lowest first.
        bounds: (2^L + 1,) normalised bounds of the integers' intervals.
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
    levels: int,
    places: NDArray[Any],
    decoding: bool,
) -> None:
    """Code the next samples, with a network those of one step.

    Args:
        stream, data: of the range coder.
        adaptive: what adapts, which is updated.
        network: the network's distribution.
        levels: L, bits of an integer.
        places: (n,) the integers' places among all 2^L, from 0; filled in where ``decoding``.
        decoding: whether the samples are decoded; else they are encoded.
    """
    predictor, mixed, table = adaptive.predictor, adaptive.mixed, network.mixture[0]
    half, last = 1 << (levels - 1), (1 << levels) - 1
    for n in range(places.size):
        cascade.predict(predictor)
        experts.begin(mixed, predictor.predictions)
        if table.shape[1]:
            bits.begin_sample(network.mixture, network.kind, network.outputs, n)
        place = _find(stream, data, adaptive, network, levels, places[n], decoding)
        places[n] = place
        value = np.float64(place - half)
        own = 0.0
        if table.shape[1]:
            own = bits.end_sample(table, place & 1)
            network.outputs[n] = network.values[place]
        lower = value - 0.5 if place > 0 else -np.inf
        upper = value + 0.5 if place < last else np.inf
        experts.probability(mixed, lower, upper, 1.0, own)
        experts.learn(mixed, predictor.predictions, value)
        cascade.learn(predictor, value)


@compiled
def _find(
    stream: State,
    data: Bytes,
    adaptive: Adaptive,
    network: Network,
    levels: int,
    known: int,
    decoding: bool,
) -> int:
    """Code the decisions on a sample, and return its place."""
    table, search = network.mixture[0], adaptive.search
    logistic.begin(search)
    low, half = 0, 1 << (levels - 1)
    while half:
        probability = _right_half(adaptive, network, levels, low, half)
        known_bit = 1 if known >= low + half else 0
        bit = range_coder.code(stream, data, known_bit, probability, decoding)
        logistic.narrow(search, bit)
        if half > 1 and table.shape[1]:  # the last decision is made in `bits.end_sample`
            bits.narrow(table, bit)
        low += half * bit
        half >>= 1
    return low


@compiled
def _right_half(adaptive: Adaptive, network: Network, levels: int, low: int, half: int) -> float:
    """Return the probability that the place is at least ``low + half``, given that it is in the interval."""
    mixed, count = adaptive.mixed, NETWORK
    bound = np.float64(low + half - (1 << (levels - 1))) - 0.5
    left, right = logistic.halves(
        adaptive.search, mixed.mean[:count], mixed.inverse[:count], mixed.weights[:count], bound
    )
    if network.mixture[0].shape[1]:
        of_left, of_right = bits.halves(network.mixture[0], network.bounds[low + half])
        left += mixed.weights[NETWORK] * of_left
        right += mixed.weights[NETWORK] * of_right
    return logistic.of_right(left, right, half, levels)
