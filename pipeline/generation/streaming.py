"""Streams of generated sound to a pipe or a file."""

import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.audio.decode import Samples
from pipeline.audio.write import open_sound
from pipeline.errors import UserError
from pipeline.generation.generate import stream_samples
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel

UNKNOWN_SIZE = 0xFFFFFFFF
"""Size in the header of a WAV stream of unknown length; players then read to the end of the pipe."""


def stream_to_pipe(
    model: TrainedModel, sampling: SamplingOptions, seconds: float | None, pipe: BinaryIO, raw: bool
) -> None:
    """Write mono 16-bit sound to ``pipe`` until it is closed, or for ``seconds``.

    Args:
        model: model of waveforms.
        sampling: options of the draws.
        seconds: length of the sound; None for an endless stream.
        pipe: binary stream to write to.
        raw: write samples without a WAV header.

    Raises:
        UserError: the model is not one of waveforms.
        BrokenPipeError: the reader has closed the pipe.
    """
    blocks = _blocks(model, sampling, seconds)
    if not raw:
        pipe.write(wav_header(model.audio.sample_rate))
    for block in blocks:
        pipe.write(block.astype("<i2").tobytes())
        pipe.flush()


def stream_to_file(model: TrainedModel, sampling: SamplingOptions, seconds: float | None, path: Path) -> None:
    """Write generated sound to a file, which appears when it is complete.

    Args:
        model: model of waveforms.
        sampling: seed and options of the draws.
        seconds: length; None continues until the process is interrupted.
        path: the sound file to be written.

    Raises:
        UserError: the model is not one of waveforms, or the file cannot be written.
    """
    blocks = _blocks(model, sampling, seconds)
    with open_sound(path, model.audio.sample_rate) as write, _noted_interrupt() as interrupted:
        for block in blocks:
            write(block)
            if interrupted():
                return


@contextmanager
def _noted_interrupt() -> Iterator[Callable[[], bool]]:
    """Return a function that states whether SIGINT has arrived; here it raises nothing.

    An exception inside the library that writes the file would be an error of writing. Only the main thread
    receives signals.
    """
    arrived = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield arrived.is_set
        return
    before = signal.signal(signal.SIGINT, lambda *_: arrived.set())
    try:
        yield arrived.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def wav_header(sample_rate: int) -> bytes:
    """Return the header of mono 16-bit sound of unknown length (RIFF WAVE, PCM)."""
    parts = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE")
        + parts
        + struct.pack("<4sI", b"data", UNKNOWN_SIZE)
    )


def _blocks(model: TrainedModel, sampling: SamplingOptions, seconds: float | None) -> Iterator[Samples]:
    if not model.audio.rows_are_samples:
        raise UserError("a spectrogram is inverted whole: give --seconds and --output in place of --stream")
    count = None if seconds is None else round(seconds * model.audio.sample_rate)
    return _cut(stream_samples(model, sampling), count)


def _cut(blocks: Iterator[Samples], count: int | None) -> Iterator[Samples]:
    """Yield the first ``count`` samples of the blocks; all of them where it is None."""
    for block in blocks:
        yield block if count is None else block[:count]
        if count is not None and (count := count - len(block)) <= 0:
            return
