"""A binary range coder (Martin 1979) in integers, compiled: decisions become bytes, and bytes decisions.

The coder keeps an interval of numbers of 56 bits. Each decision divides it in proportion to the probability,
which has 24 bits; a byte is written as soon as the interval is narrow enough. An overflow of the lower end
is carried into the bytes that are written already. Behind the last byte the decoder reads zeros, so any bytes
can be decoded, to something.
"""

import numpy as np
from numpy.typing import NDArray

from models.compiled.simd import compiled

State = NDArray[np.int64]
"""(3,): lower end (of a decoder: position within the interval), width, and bytes so far."""
Bytes = NDArray[np.uint8]

PROBABILITY_BITS = 24
MOST_BYTES = 3
"""Bytes that a decision takes at most."""

_WIDTH = 56
_SHIFT = _WIDTH - 8
_ONE = 1 << PROBABILITY_BITS
LOW, RANGE, COUNT = range(3)


def new_encoder() -> State:
    """Return the state before the first decision."""
    return np.array([0, 1 << _WIDTH, 0], np.int64)


def new_decoder(data: Bytes) -> State:
    """Return the state before the first decision.

    Args:
        data: bytes of an encoder.
    """
    first = bytes(data[: _WIDTH // 8]).ljust(_WIDTH // 8, b"\0")
    return np.array([int.from_bytes(first, "big"), 1 << _WIDTH, _WIDTH // 8], np.int64)


@compiled
def encode(state: State, data: Bytes, bit: int, probability: float) -> None:
    """Add a decision.

    Args:
        state: of the encoder, which is updated.
        data: the bytes so far, with room for `MOST_BYTES` more.
        bit: the decision.
        probability: that ``bit`` is 1; it is rounded to 24 bits, and never taken for 0 or 1.
    """
    part = _part(state[RANGE], probability)
    if bit:
        state[RANGE] = part
    else:
        state[LOW] += part
        state[RANGE] -= part
    while state[RANGE] < 1 << _SHIFT:
        _write(state, data)
        state[RANGE] <<= 8


@compiled
def decode(state: State, data: Bytes, probability: float) -> int:
    """Return the next decision.

    Args:
        state: of the decoder, which is updated.
        data: bytes of an encoder.
        probability: the one that the decision was encoded with.
    """
    part = _part(state[RANGE], probability)
    bit = 1 if state[LOW] < part else 0
    if bit:
        state[RANGE] = part
    else:
        state[LOW] -= part
        state[RANGE] -= part
    while state[RANGE] < 1 << _SHIFT:
        following = np.int64(data[state[COUNT]]) if state[COUNT] < data.size else 0
        state[LOW] = (state[LOW] << 8) | following
        state[COUNT] += 1
        state[RANGE] <<= 8
    return bit


@compiled
def code(state: State, data: Bytes, bit: int, probability: float, decoding: bool) -> int:
    """Decode the next decision, or encode ``bit``; return the decision. See `encode` and `decode`."""
    if decoding:
        return decode(state, data, probability)
    encode(state, data, bit, probability)
    return bit


@compiled
def finish(state: State, data: Bytes) -> int:
    """Write the last byte, and return the number of all bytes.

    Args:
        state: of the encoder.
        data: the bytes so far, with room for `MOST_BYTES` more.
    """
    below = (np.int64(1) << _SHIFT) - 1
    state[LOW] = (state[LOW] + below) & ~below  # the interval is wide enough to hold it
    _write(state, data)
    count = int(state[COUNT])
    while count and data[count - 1] == 0:
        count -= 1
    return count


@compiled
def _part(width: int, probability: float) -> int:
    """Return the part of an interval that stands for a 1."""
    share = min(max(int(probability * _ONE + 0.5), 1), _ONE - 1)
    return (width >> PROBABILITY_BITS) * share


@compiled
def _write(state: State, data: Bytes) -> None:
    """Write the highest byte of the lower end, after the carry of its overflow."""
    if state[LOW] >> _WIDTH:
        place = state[COUNT] - 1
        while data[place] == 255:
            data[place] = 0
            place -= 1
        data[place] += 1
    data[state[COUNT]] = (state[LOW] >> _SHIFT) & 255
    state[LOW] = (state[LOW] & ((np.int64(1) << _SHIFT) - 1)) << 8
    state[COUNT] += 1
