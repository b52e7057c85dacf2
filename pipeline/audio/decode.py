"""Any recording as mono int16 at one sample rate, in blocks, so that memory stays flat however long it is.

What may go wrong with a recording is found here, once: it is either rejected with a reason of one line, or
delivered whole, with notes on harmless damage. libsndfile or ffmpeg reads it, libsoxr resamples it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.audio.excerpt import Excerpt, ExcerptReader
from pipeline.audio.pcm import INT16_SCALE, Floats, Samples, resample_blocks, to_int16
from pipeline.audio.reader import AudioInfo, Note, OpenRecording
from pipeline.audio.readers import open_recording
from pipeline.audio.spooled import SpooledSamples
from pipeline.errors import RecordingRejected

__all__ = [
    "AudioInfo",
    "DecodedFacts",
    "Decoding",
    "Samples",
    "naming",
    "open_decoding",
    "probe",
    "read_mono",
    "to_int16",
]

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


class Decoding:
    """An open recording, which is decoded once: its header first, then its samples, then the facts.

    Attributes:
        info: the facts in its header.
    """

    def __init__(self, reader: OpenRecording) -> None:
        self.info = reader.info
        self._reader = reader
        self._facts: DecodedFacts | None = None

    @property
    def facts(self) -> DecodedFacts:
        """The decoded facts of the recording, available after its last block."""
        assert self._facts is not None
        return self._facts

    def blocks(self, sample_rate: int, max_samples: int = MAX_SAMPLES) -> Iterator[Samples]:
        """Yield mono int16 at ``sample_rate`` Hz, in blocks (n,) that belong to the caller.

        Channels are averaged. 16-bit mono at the target rate passes bit for bit; everything else is
        ``round(32768 x)``, clipped. Raises `RecordingRejected` with a one-line reason; damage may show only
        at the end, so blocks before a rejection must be discarded.
        """
        reader, info = self._reader, self.info
        if not (reader.holds_int16 and info.channels == 1 and info.sample_rate == sample_rate):
            yield from self._rounded(_mono_blocks(reader), sample_rate, max_samples)
            return
        tally = _Tally(sample_rate, max_samples)
        for block in reader.blocks("int16"):
            yield tally.whole(block[:, 0])
        self._finish(tally)

    def read(self, sample_rate: int) -> Samples:
        """Return the whole recording as one writable array (N,), at most 2**28 samples."""
        return _joined(self.blocks(sample_rate, MAX_SAMPLES_IN_MEMORY))

    def spool(self, sample_rate: int, beside: Path) -> SpooledSamples:
        """Return the whole recording in a temporary file beside a path, at most 2**28 samples (N,)."""
        return SpooledSamples.of_blocks(self.blocks(sample_rate, MAX_SAMPLES_IN_MEMORY), beside)

    def spool_both(self, sample_rate: int, beside: Path) -> tuple[SpooledSamples, SpooledSamples]:
        """Return the whole recording at ``sample_rate`` and at its own rate, (N,) and (M,), in one pass."""
        if self.info.sample_rate == sample_rate:
            samples = self.spool(sample_rate, beside)
            return samples, samples
        tally, own = _Tally(self.info.sample_rate, MAX_SAMPLES_IN_MEMORY), SpooledSamples.empty(beside)

        def kept(blocks: Iterator[Floats]) -> Iterator[Floats]:
            for block in blocks:
                own.append(tally.rounded(block))
                yield block

        mono = kept(_mono_blocks(self._reader))
        converted = self._rounded(mono, sample_rate, MAX_SAMPLES_IN_MEMORY)
        return SpooledSamples.of_blocks(converted, beside), own

    def _rounded(self, mono: Iterator[Floats], sample_rate: int, max_samples: int) -> Iterator[Samples]:
        tally = _Tally(sample_rate, max_samples)
        for block in resample_blocks(mono, self.info.sample_rate, sample_rate):
            if len(block):
                yield tally.rounded(block)
        self._finish(tally)

    def _finish(self, tally: "_Tally") -> None:
        if not tally.samples:
            raise RecordingRejected(
                "no-samples", f"no samples: what is there gives none at {tally.sample_rate} Hz"
            )
        notes = self._reader.notes + tally.notes()
        self._facts = DecodedFacts(self.info, tally.samples, tally.peak, tally.clipped, notes)


@contextmanager
def open_decoding(path: Path, excerpt: Excerpt | None = None) -> Iterator[Decoding]:
    """Open a recording, or a part of one, by its header; raises `RecordingRejected` where it cannot be used.

    Several threads may decode at a time: the libraries release the interpreter lock while they work.
    """
    with open_recording(path) as reader:
        yield Decoding(reader if excerpt is None else ExcerptReader(reader, excerpt))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put ``path`` before the reason for which a recording is rejected in this block."""
    try:
        yield
    except RecordingRejected as rejection:
        raise rejection.about(path) from None


def probe(path: Path) -> AudioInfo:
    """Return the facts in the header of ``path``; raises `RecordingRejected` where it cannot be used."""
    with open_decoding(path) as recording:
        return recording.info


def read_mono(path: Path, sample_rate: int) -> tuple[Samples, DecodedFacts]:
    """Return a whole recording as one writable array (N,), at most 2**28 samples, and its facts.

    Raises `RecordingRejected`, with the path before the reason.
    """
    with naming(path), open_decoding(path) as recording:
        return recording.read(sample_rate), recording.facts


def _joined(blocks: Iterator[Samples]) -> Samples:
    buffer = bytearray()
    for block in blocks:
        buffer.extend(block.data)
    return np.frombuffer(buffer, np.int16)


class _Tally:
    """Conversion of decoded blocks to samples, with totals."""

    def __init__(self, sample_rate: int, max_samples: int) -> None:
        self.sample_rate, self._max_samples = sample_rate, max_samples
        self.samples, self.peak, self.clipped = 0, 0.0, 0

    def whole(self, block: Samples) -> Samples:
        # int() first: the magnitude of -32768 does not fit into int16.
        self._count(len(block), max(int(block.max()), -int(block.min())) / INT16_SCALE)
        return block

    def rounded(self, block: Floats) -> Samples:
        peak = max(float(block.max()), -float(block.min()))
        if peak > 1:
            self.clipped += int(np.count_nonzero(np.abs(block) > 1))
        self._count(len(block), peak)
        return to_int16(block)

    def _count(self, samples: int, peak: float) -> None:
        self.samples += samples
        if self.samples > self._max_samples:
            hours = self._max_samples / self.sample_rate / 3600
            raise RecordingRejected(
                "too-long", f"longer than {hours:.1f} hours at {self.sample_rate} Hz: split it"
            )
        self.peak = max(self.peak, peak)

    def notes(self) -> tuple[Note, ...]:
        if not self.clipped:
            return ()
        text = f"{self.clipped} samples beyond full scale were clipped (largest {self.peak:.4g})"
        return (Note("clipped", text),)


def _mono_blocks(reader: OpenRecording) -> Iterator[Floats]:
    """Average the channels; reject at the end, with totals, values that cannot be amplitudes."""
    position, worst, bad, first_bad = 0, 0.0, 0, 0
    for block in reader.blocks("float64" if reader.holds_float64 else "float32"):
        peak = max(float(block.max()), -float(block.min()))  # NaN if any is: one pass finds all
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
    """Return the mean over axis 1 of (N, C), column by column: faster than reducing few columns."""
    total = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        total += block[:, channel]
    total /= block.shape[1]
    return total
