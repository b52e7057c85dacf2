"""Blocks of one channel: what the experts code of integers, and the lower bits as they are.

Low bits that no sample uses are left out. The experts code the 16 highest bits of what is left. The lower
bits of 24- and 32-bit samples are packed by zlib.
"""

import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.compression.container import Block, damaged
from pipeline.compression.mixed_coder import MixedCoder
from pipeline.compression.network_mixture import MODEL_BITS
from pipeline.compression.pcm_files import Integers, IntegerSound


class Decoder(Protocol):
    """What restores the integers of one channel."""

    def decode(self, data: bytes, count: int) -> NDArray[np.int64]: ...


def coded_bits(sound: IntegerSound) -> int:
    """Return how many bits of an integer the experts code."""
    return min(sound.depth - sound.unused_bits, MODEL_BITS)


def encode_block(coder: MixedCoder, integers: Integers, sound: IntegerSound) -> Block:
    """Return the block of one channel's integers.

    Args:
        coder: of the channel.
        integers: (n,), the next ones.
        sound: depth and unused bits.

    Returns:
        The coder's bytes, and the packed bits below the experts'.
    """
    integers = integers >> sound.unused_bits
    below = sound.depth - sound.unused_bits - coder.depth
    code = coder.encode((integers >> below).astype(np.int64) + (1 << (coder.depth - 1)))
    if not below:
        return code, b""
    rest = integers & ((1 << below) - 1)
    return code, zlib.compress(rest.astype(_rest_type(below)).tobytes())


def decode_block(decoder: Decoder, block: Block, count: int, sound: IntegerSound) -> Integers:
    """Return one channel's integers (n,) from a block.

    Args:
        decoder: of the channel.
        block: what `encode_block` returned.
        count: number of samples.
        sound: depth and unused bits.

    Raises:
        RecordingRejected: the block is damaged.
    """
    bits = coded_bits(sound)
    below = sound.depth - sound.unused_bits - bits
    try:
        integers = decoder.decode(block[0], count) - (1 << (bits - 1))
    except (ValueError, AssertionError) as problem:
        raise damaged(f"its samples: {problem}") from None
    if below:
        integers = (integers << below) + _rest(block[1], count, below)
    elif block[1]:
        raise damaged("its lower bits are none, but some are there")
    return (integers << sound.unused_bits).astype(np.int32)


def _rest(packed: bytes, count: int, below: int) -> NDArray[Any]:
    """Return the lower bits of samples; never more than ``count`` are unpacked."""
    size = count * np.dtype(_rest_type(below)).itemsize
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(packed, size + 1)
    except zlib.error as problem:
        raise damaged(f"its lower bits: {problem}") from None
    if len(data) != size or not unpacking.eof:
        raise damaged(f"its lower bits are not those of {count} samples")
    return np.frombuffer(data, _rest_type(below))


def _rest_type(below: int) -> str:
    return "<u1" if below <= 8 else "<u2"
