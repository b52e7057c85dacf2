"""The samples of a recording in a temporary file, so that memory does not grow with its length."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Self

import numpy as np

from pipeline.audio.pcm import Samples
from pipeline.errors import UserError

BLOCK_SAMPLES = 1 << 16
IN_MEMORY_BYTES = 1 << 22
"""A shorter recording makes no file."""
SAMPLE_BYTES = 2


class SpooledSamples:
    """int16 samples (N,), or a stretch of them, that lie in a temporary file without a name.

    A slice with step 1 is another stretch of the same file. The file is removed when nothing refers to it.
    """

    def __init__(self, file: IO[bytes], first: int = 0, last: int = 0) -> None:
        self._file, self._first, self._last = file, first, last

    @classmethod
    def of_blocks(cls, blocks: Iterable[Samples], beside: Path) -> Self:
        """Return the samples of all blocks (n,).

        Args:
            blocks: int16 samples, front to back.
            beside: a path in whose folder, or the nearest that exists above, the file lies.

        Raises:
            UserError: the disk is full, or cannot be written.
        """
        spool = cls.empty(beside)
        for block in blocks:
            spool.append(block)
        return spool

    @classmethod
    def empty(cls, beside: Path) -> Self:
        """Return a spool without samples, for `append`; see `of_blocks`."""
        folder = next((above for above in beside.absolute().parents if above.is_dir()), None)
        return cls(
            tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=None if folder is None else str(folder))
        )

    def append(self, block: Samples) -> None:
        """Add samples (n,) after the last."""
        try:
            self._file.seek(self._last * SAMPLE_BYTES)
            self._file.write(block.tobytes())
        except OSError as problem:
            raise UserError(
                f"the decoded recording cannot be stored beside the output ({problem.strerror})"
            ) from None
        self._last += len(block)

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._last - self._first

    def __getitem__(self, stretch: slice) -> "SpooledSamples":
        """Return a stretch of the samples, which is read later."""
        first, last, step = stretch.indices(len(self))
        assert step == 1
        return SpooledSamples(self._file, self._first + first, self._first + max(first, last))

    def read(self) -> Samples:
        """Return all samples (N,) in memory."""
        self._file.seek(self._first * SAMPLE_BYTES)
        return np.frombuffer(bytearray(self._file.read(len(self) * SAMPLE_BYTES)), np.int16)


Sound = Samples | SpooledSamples
"""Samples (N,) in memory or in a temporary file."""


def in_memory(sound: Sound) -> Samples:
    """Return samples (N,) in memory."""
    return sound.read() if isinstance(sound, SpooledSamples) else sound


def blocks_of(*sounds: Sound) -> Iterator[Samples]:
    """Yield one sound after the other in blocks (n,) of equal length, of which the last may be shorter.

    Example:
        >>> import numpy as np
        >>> [len(block) for block in blocks_of(np.zeros(65_530, np.int16), np.zeros(10, np.int16))]
        [65536, 4]
    """
    pieces = (
        in_memory(sound[start : start + BLOCK_SAMPLES])
        for sound in sounds
        for start in range(0, len(sound), BLOCK_SAMPLES)
    )
    return equal_blocks(pieces)


def equal_blocks(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield samples in blocks (n,) of equal length, of which the last may be shorter.

    Encoders may depend on how much they receive at once.
    """
    held: list[Samples] = []
    missing = BLOCK_SAMPLES
    for block in blocks:
        while len(block):
            held.append(block[:missing])
            block = block[missing:]
            missing -= len(held[-1])
            if not missing:
                yield _joined(held)
                held, missing = [], BLOCK_SAMPLES
    if held:
        yield _joined(held)


def _joined(pieces: list[Samples]) -> Samples:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
