"""Any recording as mono int16 at one sample rate, in blocks, so that memory stays flat however long it is.

What may go wrong with a recording is found here, once: it is either refused with one line that says why, or
delivered whole, with notes on harmless damage. libsndfile or ffmpeg reads it, libsoxr resamples it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.reader import AudioInfo, Note, Reader
from pipeline.audio.readers import open_recording
from pipeline.errors import RecordingRejected

__all__ = ["AudioInfo", "DecodedFacts", "Samples", "decode", "probe", "read_mono", "to_int16"]

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.floating[Any]]

FULL_SCALE = 1 << 15  # int16 steps in an amplitude of 1
MAX_SAMPLES = 1 << 32  # 74 hours at 16 kHz; a longer claim is a damaged header or an archive to be split
MAX_SAMPLES_IN_MEMORY = 1 << 28  # 512 MiB of int16; 4.6 hours at 16 kHz
# A float file may overshoot a little and be clipped; far beyond that it does not hold [-1, 1] at all.
MAX_FLOAT_PEAK = 8.0


@dataclass(frozen=True)
class DecodedFacts:
    """What a recording turned out to be once it was decoded to its end.

    ``samples`` counts what was delivered; ``peak`` is their largest magnitude before clipping, 1 being full
    scale; ``clipped`` counts samples beyond full scale; ``notes`` are harmless oddities, a line each.
    """

    info: AudioInfo
    samples: int
    peak: float
    clipped: int
    notes: tuple[Note, ...]


def probe(path: Path) -> AudioInfo:
    """Say what ``path`` holds, by its header alone; raises `RecordingRejected` where it cannot be used."""
    with open_recording(path) as reader:
        return reader.info


def decode(
    path: Path, sample_rate: int, sink: Callable[[Samples], None], max_samples: int = MAX_SAMPLES
) -> DecodedFacts:
    """Decode ``path`` to mono int16 at ``sample_rate`` Hz, handing blocks of shape (N,) to ``sink`` in order.

    Channels are averaged. 16-bit mono at the target rate passes bit for bit; everything else is
    ``round(32768 x)``, clipped. A block belongs to ``sink``. Raises `RecordingRejected` with a one-line
    reason; damage may show only at the end, so blocks delivered before a refusal must be thrown away.
    Safe to call from several threads: the libraries release the interpreter lock while they work.
    """
    with open_recording(path) as reader:
        info = reader.info
        delivery = _Delivery(sink, sample_rate, max_samples)
        if reader.holds_int16 and info.channels == 1 and info.sample_rate == sample_rate:
            for block in reader.blocks("int16"):
                delivery.whole(block[:, 0])
        else:
            for mono in _resampled(_mono_blocks(reader), info.sample_rate, sample_rate):
                delivery.rounded(mono)
        if not delivery.samples:
            raise RecordingRejected("no-samples", f"no samples: what is there gives none at {sample_rate} Hz")
        notes = reader.notes + delivery.notes()
    return DecodedFacts(info, delivery.samples, delivery.peak, delivery.clipped, notes)


def read_mono(path: Path, sample_rate: int) -> tuple[Samples, DecodedFacts]:
    """Decode a whole recording into one writable array of shape (N,); at most 2**28 samples.

    Raises `RecordingRejected` like `decode`, here with the path before the reason, for the user to read.
    """
    buffer = bytearray()
    try:
        facts = decode(path, sample_rate, lambda block: buffer.extend(block.data), MAX_SAMPLES_IN_MEMORY)
    except RecordingRejected as refused:
        raise refused.about(path) from None
    return np.frombuffer(buffer, dtype=np.int16), facts


def to_int16(samples: Floats) -> Samples:
    """Round amplitudes, 1 being full scale, to the nearest of the 65,536 steps, clipping what lies beyond."""
    steps = np.rint(samples * FULL_SCALE)
    return np.clip(steps, -FULL_SCALE, FULL_SCALE - 1, out=steps).astype(np.int16)


class _Delivery:
    """Hands blocks to the sink and keeps the totals."""

    def __init__(self, sink: Callable[[Samples], None], sample_rate: int, max_samples: int) -> None:
        self._sink, self._sample_rate, self._max_samples = sink, sample_rate, max_samples
        self.samples, self.peak, self.clipped = 0, 0.0, 0

    def whole(self, block: Samples) -> None:
        # int() first: the magnitude of -32768 does not fit into int16.
        self._hand_on(block, max(int(block.max()), -int(block.min())) / FULL_SCALE)

    def rounded(self, block: Floats) -> None:
        if not len(block):
            return
        peak = max(float(block.max()), -float(block.min()))
        if peak > 1:
            self.clipped += int(np.count_nonzero(np.abs(block) > 1))
        self._hand_on(to_int16(block), peak)

    def _hand_on(self, block: Samples, peak: float) -> None:
        self.samples += len(block)
        if self.samples > self._max_samples:
            hours = self._max_samples / self._sample_rate / 3600
            raise RecordingRejected(
                "too-long", f"longer than {hours:.1f} hours at {self._sample_rate} Hz: split it"
            )
        self.peak = max(self.peak, peak)
        self._sink(block)

    def notes(self) -> tuple[Note, ...]:
        if not self.clipped:
            return ()
        text = f"{self.clipped} samples beyond full scale were clipped (largest {self.peak:.4g})"
        return (Note("clipped", text),)


def _mono_blocks(reader: Reader) -> Iterator[Floats]:
    """Average the channels; refuse at the end, with totals, what cannot be amplitudes."""
    position, worst, bad, first_bad = 0, 0.0, 0, 0
    for block in reader.blocks("float64" if reader.holds_float64 else "float32"):
        peak = max(float(block.max()), -float(block.min()))  # NaN wins a maximum, so one look finds all
        if not np.isfinite(peak):
            positions = np.flatnonzero(~np.isfinite(block).all(axis=1))
            first_bad = first_bad if bad else position + int(positions[0])
            bad += len(positions)
        worst = max(worst, peak)
        position += len(block)
        if not bad and worst <= MAX_FLOAT_PEAK:
            yield _average(block)
    if bad:
        raise RecordingRejected(
            "not-finite", f"{bad} of {position} samples are not finite, the first at {first_bad}"
        )
    if worst > MAX_FLOAT_PEAK:
        raise RecordingRejected(
            "not-amplitudes",
            f"float samples up to {worst:.4g}: the file holds integers or another scale, not [-1, 1]",
        )


def _average(block: Floats) -> Floats:
    """Mean over axis 1 of (N, C), column by column: faster than a reduction over few columns."""
    total = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        total += block[:, channel]
    total /= block.shape[1]
    return total


def _resampled(blocks: Iterator[Floats], from_rate: int, to_rate: int) -> Iterator[Floats]:
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block.astype(np.float32, copy=False))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
