"""Lossless compression of sound files with a model and adaptive experts, and decompression.

Each channel is coded independently. The integers are not converted: a rate or level that the model was not
trained on increases the size, but the samples are still restored exactly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from pipeline.coding.layout import Layout, best_layout, layout_of
from pipeline.common.hashing import digest_json
from pipeline.common.progress import shown
from pipeline.compression.channel_blocks import Decoder, decode_block, encode_block
from pipeline.compression.container import (
    FIRST_VERSION,
    PLAIN_VERSION,
    VERSION,
    Header,
    coded_file,
    damaged,
    open_coded,
)
from pipeline.compression.mixed_coder import MixedCoder, fingerprint
from pipeline.compression.network_mixture import Alphabet, check_codes, exact_arithmetic
from pipeline.compression.pcm_files import (
    Checksum,
    IntegerSound,
    integers_file,
    read_integers,
    surveyed,
)
from pipeline.errors import RecordingRejected, UserError
from pipeline.model.model_file import read_model_file, read_weight_bytes
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel

BLOCK_FRAMES = 1 << 16
_SHOWN_OF_HASH = 12
_SHOWN_OF_NAME = 200  # a crafted file may hold a name of any length


@dataclass(frozen=True)
class CodingModel:
    """A model that is loaded for coding.

    Attributes:
        model: model of waveforms.
        name: name by which the user chose it.
        hash: SHA-256 of its weights and settings.
        arithmetic: hash of how this machine computes it beside the adaptive experts (see `fingerprint`).
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

    @cached_property
    def first_arithmetic(self) -> str:
        """Hash of how this machine computes the model alone, as files of the first format have it."""
        found: str = _first_format().fingerprint(self.model)
        return found


def _first_format() -> ModuleType:
    """Return the module of the first format, which needs the library constriction."""
    try:
        from pipeline.compression import first_format
    except ModuleNotFoundError as problem:
        if problem.name != "constriction":
            raise
        raise UserError("the library constriction is missing: pip install constriction") from None
    return first_format


@lru_cache
def adaptive_arithmetic() -> str:
    """Return a hash of how this machine computes the adaptive experts without a model."""
    return fingerprint()


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


def compress_sound(coding: CodingModel | None, source: Path, target: Path) -> Compressed:
    """Code the samples of a sound file, in constant memory.

    The source is read twice, first to check that it can be read to its end. That is fast compared with
    coding.

    Args:
        coding: the model; None codes with the adaptive predictor alone, which is several times faster.
        source: sound file of integers.
        target: the file to be written, which is replaced if it exists.

    Returns:
        The sizes before and after.

    Raises:
        RecordingRejected: the source is damaged or lossy, or it changes while it is read.
        UserError: the target cannot be written.
    """
    sound, histogram = surveyed(source)
    layout, checksum = best_layout(sound.depth, histogram), Checksum()
    header = _header(coding, sound, layout.packed)
    with coded_file(target, header) as write, _exact(coding):
        coders = [_coder(coding, layout) for _ in range(sound.channels)]
        blocks = read_integers(source, header.block_frames)
        for integers in shown(blocks, header.stretches, "compress"):
            checksum.add(integers)
            for channel, coder in enumerate(coders):
                write(encode_block(coder, integers[:, channel], layout))
        if checksum.text() != sound.checksum:
            raise RecordingRejected("changed", "it changed while it was read; compress it again")
    return Compressed(sound, source.stat().st_size, target.stat().st_size)


def _header(coding: CodingModel | None, sound: IntegerSound, values: bytes) -> Header:
    version = VERSION if values else PLAIN_VERSION
    if coding is None:
        return Header("", "", adaptive_arithmetic(), BLOCK_FRAMES, sound, version, values)
    frames = max(1, BLOCK_FRAMES // coding.model.framing.hop) * coding.model.framing.hop
    return Header(coding.hash, coding.name, coding.arithmetic, frames, sound, version, values)


def needs_model(source: Path) -> bool:
    """Return whether a compressed recording can be decoded only with the model that compressed it.

    Raises:
        RecordingRejected: the file is no compressed recording, or is damaged.
    """
    with open_coded(source) as (header, _):
        return bool(header.model)


def decompress_sound(coding: CodingModel | None, source: Path, target: Path) -> IntegerSound:
    """Decode a compressed recording into a sound file.

    Args:
        coding: the model that compressed it; None where it was compressed without one.
        source: the compressed recording.
        target: the file to be written, which is replaced if it exists.

    Returns:
        Rate, channels, depth and length of the sound.

    Raises:
        RecordingRejected: the source is damaged, or this model or machine cannot decode it.
        UserError: the target's format cannot hold the samples, or it cannot be written.
    """
    with open_coded(source) as (header, blocks):
        coding = coding if header.model else None
        _check_same(coding, header)
        sound, layout = header.sound, _layout(header)
        starts = range(0, sound.frames, header.block_frames)
        with integers_file(target, sound) as write, _exact(coding):
            decoders = [_decoder(coding, header, layout) for _ in range(sound.channels)]
            for start in shown(starts, len(starts), "decompress"):
                count = min(header.block_frames, sound.frames - start)
                parts = [decode_block(decoder, next(blocks), count, layout) for decoder in decoders]
                write(np.stack(parts, 1))
            next(blocks, None)  # raises where more than the blocks is in the file
        return sound


def _check_same(coding: CodingModel | None, header: Header) -> None:
    here = "" if coding is None else coding.hash
    if header.model != here:
        named = header.model_name[:_SHOWN_OF_NAME]
        then = f"compressed with the model {header.model[:_SHOWN_OF_HASH]}, then named {named}"
        now = "" if coding is None else f", but {coding.name} is {here[:_SHOWN_OF_HASH]}"
        raise RecordingRejected("other-model", f"{then}{now}; name the former with --model")
    if header.arithmetic != _arithmetic(coding, header.version):
        raise RecordingRejected(
            "other-arithmetic",
            "this machine computes differently from the one that compressed, so it cannot decode "
            "the samples; decompress there, or with the same versions of wavecast and its libraries",
        )


def _arithmetic(coding: CodingModel | None, version: int) -> str:
    if coding is None:
        return adaptive_arithmetic()
    return coding.first_arithmetic if version == FIRST_VERSION else coding.arithmetic


@contextmanager
def _exact(coding: CodingModel | None) -> Iterator[None]:
    """Make the computations of a model reproducible."""
    if coding is None:
        yield
        return
    with exact_arithmetic(coding.model):
        yield


def _layout(header: Header) -> Layout:
    try:
        return layout_of(header.sound.depth, header.sound.unused_bits, header.values)
    except ValueError as problem:
        raise damaged(f"its values: {problem}") from None


def _coder(coding: CodingModel | None, layout: Layout) -> MixedCoder:
    return MixedCoder(layout.cells, layout.step, None if coding is None else coding.model)


def _decoder(coding: CodingModel | None, header: Header, layout: Layout) -> Decoder:
    if header.version != FIRST_VERSION:
        return _coder(coding, layout)
    if coding is None:
        raise damaged("it names no model")
    alphabet = Alphabet.of_cells(coding.model, layout.cells, layout.step)
    decoder: Decoder = _first_format().Coder(coding.model, alphabet)
    return decoder


def _hash_of(folder: Path) -> str:
    """Return the SHA-256 of a model's weights and settings, which determine its probabilities."""
    content = read_model_file(folder)
    settings = {name: content[name] for name in ("input", "model", "normalisation")}
    return digest_json(settings, followed_by=read_weight_bytes(folder, content))
