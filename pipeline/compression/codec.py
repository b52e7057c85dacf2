"""Compress a sound file with a model, and get its samples back to the last bit.

Of every sample the model codes the 16 highest bits; what 24- and 32-bit samples have below is kept as it is
(packed by zlib, which shrinks what is empty). Each channel runs through the model by itself. The integers are
taken as they are: a rate or loudness that the model was not trained on costs size, never correctness.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.common.files import read_json
from pipeline.common.hashing import digest_json
from pipeline.common.progress import shown
from pipeline.compression.arithmetic_coder import (
    MODEL_BITS,
    Alphabet,
    Coder,
    check_codes,
    exact_arithmetic,
    fingerprint,
)
from pipeline.compression.container import Block, Header, coded_file, open_coded
from pipeline.compression.pcm_files import (
    Checksum,
    Integers,
    IntegerSound,
    examine,
    integers_file,
    read_integers,
)
from pipeline.errors import RecordingRefused
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel

BLOCK_FRAMES = 1 << 16
_SHOWN_OF_HASH = 12


@dataclass(frozen=True)
class CodingModel:
    """A model that is ready to code with.

    Attributes:
        model: of samples.
        name: how it was named.
        hash: of its weights and settings.
        arithmetic: how this machine computes it.
    """

    model: TrainedModel
    name: str
    hash: str
    arithmetic: str

    @classmethod
    def load(cls, folder: Path, name: str) -> "CodingModel":
        """Load a model folder; raises `UserError` where it holds no model of samples."""
        model = load_model(folder)
        check_codes(model)
        return cls(model, name, _hash_of(folder), fingerprint(model))


@dataclass(frozen=True)
class Compressed:
    """What came of compressing one file: its sound, its size in bytes, and the result's."""

    sound: IntegerSound
    bytes_before: int
    bytes_after: int

    @property
    def bits_per_sample(self) -> float:
        """Of the whole file, header and all, for each sample of each channel."""
        return 8 * self.bytes_after / (self.sound.frames * self.sound.channels)


def compress_sound(coding: CodingModel, source: Path, target: Path) -> Compressed:
    """Code the samples of ``source`` into ``target``, in flat memory.

    The source is read twice: once to see that all of it can be, which is quick beside the coding.

    Raises `RecordingRefused` where the source is damaged, lossy, or changes meanwhile.
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
            raise RecordingRefused("it changed while it was read; compress it again")
    return Compressed(sound, source.stat().st_size, target.stat().st_size)


def decompress_sound(coding: CodingModel, source: Path, target: Path) -> IntegerSound:
    """Write the samples that ``source`` codes to the sound file ``target``.

    Raises `RecordingRefused` where the source is damaged, or this model or machine cannot decode it;
    `UserError` where the target's format cannot hold it.
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
        return sound


def _check_same(coding: CodingModel, header: Header) -> None:
    if header.model != coding.hash:
        raise RecordingRefused(
            f"compressed with the model {header.model[:_SHOWN_OF_HASH]}, then named {header.model_name}; "
            f"{coding.name} is {coding.hash[:_SHOWN_OF_HASH]}: name that one with --model"
        )
    if header.arithmetic != coding.arithmetic:
        raise RecordingRefused(
            "this machine computes the model differently from the one that compressed, and could not decode "
            "a sample; decompress there, or with the same versions of wavecast and its libraries"
        )


@contextmanager
def _coders(coding: CodingModel, sound: IntegerSound) -> Iterator[list[Coder]]:
    """One for each channel."""
    with exact_arithmetic(coding.model):
        alphabet = Alphabet.of(coding.model, sound.depth)
        yield [Coder(coding.model, alphabet) for _ in range(sound.channels)]


def _encode(coder: Coder, integers: Integers, depth: int) -> Block:
    """One channel's integers (n,); what is below the model's bits comes second."""
    below = max(0, depth - MODEL_BITS)
    words = coder.encode((integers >> below) + (1 << (depth - below - 1)))
    if not below:
        return words.astype("<u4").tobytes(), b""
    rest = integers & ((1 << below) - 1)
    return words.astype("<u4").tobytes(), zlib.compress(rest.astype(_rest_type(below)).tobytes())


def _decode(coder: Coder, block: Block, count: int, depth: int) -> Integers:
    below = max(0, depth - MODEL_BITS)
    words = np.frombuffer(block[0], "<u4").astype(np.uint32)
    integers = coder.decode(words, count) - (1 << (depth - below - 1))
    if below:
        rest = np.frombuffer(zlib.decompress(block[1]), _rest_type(below))
        integers = (integers << below) + rest
    return integers.astype(np.int32)


def _rest_type(below: int) -> str:
    return "<u1" if below == 8 else "<u2"


def _hash_of(folder: Path) -> str:
    """SHA-256 of what decides a model's probabilities: its weights, and its settings but not its history."""
    content = read_json(folder / "config.json", "model")
    settings = {name: content[name] for name in ("input", "model", "normalisation")}
    return digest_json(settings, followed_by=(folder / "model.safetensors").read_bytes())
