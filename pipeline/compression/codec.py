"""Lossless compression of sound files with a model, and decompression.

The model codes the 16 highest bits of every sample. The lower bits of 24- and 32-bit samples are packed by
zlib, which removes empty bits. Each channel is coded independently. The integers are not converted: a rate or
level that the model was not trained on increases the size, but the samples are still restored exactly.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.common.hashing import digest_json
from pipeline.common.progress import shown
from pipeline.compression.container import Block, Header, coded_file, damaged, open_coded
from pipeline.compression.first_format import Coder, fingerprint
from pipeline.compression.network_mixture import MODEL_BITS, Alphabet, check_codes, exact_arithmetic
from pipeline.compression.pcm_files import (
    Checksum,
    Integers,
    IntegerSound,
    examine,
    integers_file,
    read_integers,
)
from pipeline.errors import RecordingRejected
from pipeline.model.model_file import read_model_file, read_weight_bytes
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel

BLOCK_FRAMES = 1 << 16
_SHOWN_OF_HASH = 12


@dataclass(frozen=True)
class CodingModel:
    """A model that is loaded for coding.

    Attributes:
        model: model of waveforms.
        name: name by which the user chose it.
        hash: SHA-256 of its weights and settings.
        arithmetic: hash of how this machine computes it (see `fingerprint`).
    """

    model: TrainedModel
    name: str
    hash: str
    arithmetic: str

    @classmethod
    def load(cls, folder: Path, name: str) -> "CodingModel":
        """Return the model in a folder, with its hash and fingerprint.

        Args:
            folder: the model folder.
            name: the model's name in messages and in compressed files.

        Raises:
            UserError: the folder holds no model of waveforms.
        """
        model = load_model(folder)
        check_codes(model)
        return cls(model, name, _hash_of(folder), fingerprint(model))


@dataclass(frozen=True)
class Compressed:
    """Result of the compression of one file: its sound, and the sizes before and after in bytes."""

    sound: IntegerSound
    bytes_before: int
    bytes_after: int

    @property
    def bits_per_sample(self) -> float:
        """Bits of the whole file, including its header, for each sample of each channel."""
        return 8 * self.bytes_after / (self.sound.frames * self.sound.channels)


def compress_sound(coding: CodingModel, source: Path, target: Path) -> Compressed:
    """Code the samples of a sound file, in constant memory.

    The source is read twice, first to check that it can be read to its end. That is fast compared with
    coding.

    Args:
        coding: the model.
        source: sound file of integers.
        target: the file to be written, which is replaced if it exists.

    Returns:
        The sizes before and after.

    Raises:
        RecordingRejected: the source is damaged or lossy, or it changes while it is read.
        UserError: the target cannot be written.
    """
    sound = examine(source)
    frames = max(1, BLOCK_FRAMES // coding.model.framing.hop) * coding.model.framing.hop
    header = Header(coding.hash, coding.name, coding.arithmetic, frames, sound)
    checksum, stretches = Checksum(), -(-sound.frames // frames)
    with coded_file(target, header) as write, _coders(coding, sound) as coders:
        for integers in shown(read_integers(source, frames), stretches, "compress"):
            checksum.add(integers)
            for channel, coder in enumerate(coders):
                write(_encode(coder, integers[:, channel], sound.depth))
        if checksum.text() != sound.checksum:
            raise RecordingRejected("changed", "it changed while it was read; compress it again")
    return Compressed(sound, source.stat().st_size, target.stat().st_size)


def decompress_sound(coding: CodingModel, source: Path, target: Path) -> IntegerSound:
    """Decode a compressed recording into a sound file.

    Args:
        coding: the model that compressed it.
        source: the compressed recording.
        target: the file to be written, which is replaced if it exists.

    Returns:
        Rate, channels, depth and length of the sound.

    Raises:
        RecordingRejected: the source is damaged, or this model or machine cannot decode it.
        UserError: the target's format cannot hold the samples, or it cannot be written.
    """
    with open_coded(source) as (header, blocks):
        _check_same(coding, header)
        sound = header.sound
        starts = range(0, sound.frames, header.block_frames)
        with integers_file(target, sound) as write, _coders(coding, sound) as coders:
            for start in shown(starts, len(starts), "decompress"):
                count = min(header.block_frames, sound.frames - start)
                columns = [_decode(coder, next(blocks), count, sound.depth) for coder in coders]
                write(np.stack(columns, 1))
            next(blocks, None)  # raises where more than the blocks is in the file
        return sound


def _check_same(coding: CodingModel, header: Header) -> None:
    if header.model != coding.hash:
        raise RecordingRejected(
            "other-model",
            f"compressed with the model {header.model[:_SHOWN_OF_HASH]}, then named {header.model_name}, but "
            f"{coding.name} is {coding.hash[:_SHOWN_OF_HASH]}; name the former with --model",
        )
    if header.arithmetic != coding.arithmetic:
        raise RecordingRejected(
            "other-arithmetic",
            "this machine computes the model differently from the one that compressed, so it cannot decode "
            "the samples; decompress there, or with the same versions of wavecast and its libraries",
        )


@contextmanager
def _coders(coding: CodingModel, sound: IntegerSound) -> Iterator[list[Coder]]:
    """Return a coder for each channel."""
    with exact_arithmetic(coding.model):
        alphabet = Alphabet.of(coding.model, sound.depth)
        yield [Coder(coding.model, alphabet) for _ in range(sound.channels)]


def _encode(coder: Coder, integers: Integers, depth: int) -> Block:
    """Encode one channel's integers (n,); the bits below the model's are the block's second part."""
    below = max(0, depth - MODEL_BITS)
    words = coder.encode((integers >> below) + (1 << (depth - below - 1)))
    if not below:
        return words.astype("<u4").tobytes(), b""
    rest = integers & ((1 << below) - 1)
    return words.astype("<u4").tobytes(), zlib.compress(rest.astype(_rest_type(below)).tobytes())


def _decode(coder: Coder, block: Block, count: int, depth: int) -> Integers:
    below = max(0, depth - MODEL_BITS)
    words = np.frombuffer(block[0], "<u4").astype(np.uint32)
    try:
        integers = coder.decode(words, count) - (1 << (depth - below - 1))
    except (ValueError, AssertionError) as problem:
        raise damaged(f"its samples: {problem}") from None
    if below:
        integers = (integers << below) + _rest(block[1], count, below)
    return integers.astype(np.int32)


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
    return "<u1" if below == 8 else "<u2"


def _hash_of(folder: Path) -> str:
    """Return the SHA-256 of a model's weights and settings, which determine its probabilities."""
    content = read_model_file(folder)
    settings = {name: content[name] for name in ("input", "model", "normalisation")}
    return digest_json(settings, followed_by=read_weight_bytes(folder, content))
