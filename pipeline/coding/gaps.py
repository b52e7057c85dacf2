"""Coding of the gaps between increasing integers, by binary decisions whose probabilities adapt.

A gap is coded by decisions whether it is larger than 1, 2 and so on, and a large one by its number of bits
and its bits. Each decision has one probability for each number of previous gaps that it depends on, from none
to sixteen. These are mixed by weights that follow their success. The gaps of samples that were multiplied by
a constant repeat with few variations, so that most of their decisions become certain.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive.elementary import log
from models.compiled.simd import compiled
from pipeline.coding import range_coder
from pipeline.coding.range_coder import Bytes, State

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_BITS = 33
"""Bits of the largest gap."""

_SINGLE = 8  # gaps up to this are found one by one
_DECISIONS = _SINGLE + MOST_BITS
_ORDERS = np.array([0, 1, 2, 4, 8, 16])
_CONTEXTS = 1 << 12
_PRIOR = 0.2  # counts of both outcomes before the first decision
_MOST = 250  # of an outcome's count, after which both are halved
_KEPT = 3  # largest count that one outcome leaves of the other
_SHARED = 0.02  # of the weights, given to all orders alike after each decision
_BITS_PER_NAT = 1.4426950408889634


class Model(NamedTuple):
    """The probabilities after some gaps.

    Attributes:
        counts: (orders, contexts, decisions, 2) how often each decision was no and yes.
        weights: (orders,) their sum is 1.
        found: (orders,) the probability that each order gave to the last decision.
        recent: (16,) the last gaps, the oldest first, large ones rounded to powers of two.
        contexts: (orders,) hash of the last gaps of each order.
    """

    counts: NDArray[np.int32]
    weights: Floats
    found: Floats
    recent: Integers
    contexts: Integers


def _new_model() -> Model:
    orders = len(_ORDERS)
    counts = np.zeros((orders, _CONTEXTS, _DECISIONS, 2), np.int32)
    whole = np.full(orders, 1 / orders)
    return Model(counts, whole, np.zeros(orders), np.zeros(_ORDERS[-1], np.int64), np.zeros(orders, np.int64))


def pack_gaps(gaps: Integers) -> tuple[bytes, Floats]:
    """Return gaps (n,) of 1 to 2^33 - 1 as bytes, and the bits that each took."""
    stream, bits = range_coder.new_encoder(), np.zeros(len(gaps))
    data = np.empty((2 * _DECISIONS * len(gaps) + 3) * range_coder.MOST_BYTES, np.uint8)
    _code(stream, data, _new_model(), gaps.copy(), bits, False)
    return data[: range_coder.finish(stream, data)].tobytes(), bits


def unpack_gaps(data: bytes, count: int) -> Integers:
    """Return gaps (count,) from what `pack_gaps` returned; any bytes are decoded, to something."""
    packed, gaps = np.frombuffer(data, np.uint8), np.empty(count, np.int64)
    _code(range_coder.new_decoder(packed), packed.copy(), _new_model(), gaps, np.zeros(count), True)
    return gaps


@compiled
def _code(stream: State, data: Bytes, model: Model, gaps: Integers, bits: Floats, decoding: bool) -> None:
    """Encode gaps, or decode them into the array, and note the bits of each."""
    for n in range(gaps.size):
        gaps[n] = _code_gap(stream, data, model, gaps[n], bits[n : n + 1], decoding)
        _remember(model, gaps[n])


@compiled
def _code_gap(stream: State, data: Bytes, model: Model, gap: int, bits: Floats, decoding: bool) -> int:
    for place in range(_SINGLE):
        if not _decide(stream, data, model, place, gap > place + 1, bits, decoding):
            return place + 1
    # A larger gap is 8 and a number from 1 on, whose highest bit is known.
    rest, size = gap - _SINGLE, 0
    while size < MOST_BITS - 1 and _decide(
        stream, data, model, _SINGLE + size, rest >> (size + 1) > 0, bits, decoding
    ):
        size += 1
    found = 1
    for place in range(size - 1, -1, -1):
        found = 2 * found + range_coder.code(stream, data, (rest >> place) & 1, 0.5, decoding)
        bits[0] += 1.0
    return _SINGLE + found


@compiled
def _decide(
    stream: State, data: Bytes, model: Model, place: int, known: bool, bits: Floats, decoding: bool
) -> int:
    """Code a decision, adapt to it, and return it."""
    orders, total = model.weights.size, 0.0
    for k in range(orders):
        counts = model.counts[k, model.contexts[k], place]
        model.found[k] = (counts[1] + _PRIOR) / (counts[0] + counts[1] + 2 * _PRIOR)
        total += model.weights[k] * model.found[k]
    bit = range_coder.code(stream, data, 1 if known else 0, total, decoding)
    probability = total if bit else 1.0 - total
    bits[0] -= _BITS_PER_NAT * log(probability)
    for k in range(orders):
        given = model.found[k] if bit else 1.0 - model.found[k]
        model.weights[k] = (1.0 - _SHARED) * (model.weights[k] * given / probability) + _SHARED / orders
        counts = model.counts[k, model.contexts[k], place]
        counts[bit] += 1
        if counts[1 - bit] > _KEPT:
            counts[1 - bit] = (counts[1 - bit] + _KEPT) // 2
        if counts[bit] > _MOST:
            counts[bit] //= 2
    return bit


@compiled
def _remember(model: Model, gap: int) -> None:
    """Let the next gap depend on this one."""
    kind = gap
    if gap > _SINGLE:
        kind = _SINGLE
        while gap > _SINGLE:
            kind += 1
            gap >>= 1
    last = model.recent.size
    for i in range(last - 1):
        model.recent[i] = model.recent[i + 1]
    model.recent[last - 1] = kind
    for k in range(_ORDERS.size):
        mixed = 0
        for i in range(last - _ORDERS[k], last):
            mixed = (mixed * 1_640_531_527 + model.recent[i] + 1) & 0xFFFFFFFF
        model.contexts[k] = ((mixed * 1_640_531_527) & 0xFFFFFFFF) >> 20
