"""Blocks of one channel: what the experts code of integers, and the lower bits as they are.

Low bits that no sample uses are left out. The experts code the 16 highest bits of what is left, and the lower
bits of 24- and 32-bit samples are packed by zlib. Where the file says which integers occur, the experts code
these, with all their bits.
"""

import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.coding.layout import Layout
from pipeline.compression.container import Block, damaged
from pipeline.compression.mixed_coder import MixedCoder
from pipeline.compression.pcm_files import Integers


class Decoder(Protocol):
    """What restores the integers of one channel."""

    def decode(self, data: bytes, count: int) -> NDArray[np.int64]: ...


def encode_block(coder: MixedCoder, integers: Integers, layout: Layout) -> Block:
    """Return the block of one channel's integers.

    Args:
        coder: of the channel.
        integers: (n,), the next ones.
        layout: of the sound.

    Returns:
        The coder's bytes, and the packed bits below the experts'.
    """
    code = coder.encode(layout.places(integers))
    if not layout.below:
        return code, b""
    return code, zlib.compress(layout.below_of(integers).astype(_rest_type(layout.below)).tobytes())


def decode_block(decoder: Decoder, block: Block, count: int, layout: Layout) -> Integers:
    """Return one channel's integers (n,) from a block.

    Args:
        decoder: of the channel.
        block: what `encode_block` returned.
        count: number of samples.
        layout: of the sound.

    Raises:
        RecordingRejected: the block is damaged.
    """
    try:
        places = decoder.decode(block[0], count)
    except (ValueError, AssertionError) as problem:
        raise damaged(f"its samples: {problem}") from None
    if layout.below:
        return layout.integers(places, _rest(block[1], count, layout.below)).astype(np.int32)
    if block[1]:
        raise damaged("its lower bits are none, but some are there")
    return layout.integers(places).astype(np.int32)


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
