"""Spectrogram of a recording as a picture and as an array, in memory independent of the length.

The recording is decoded once, to a temporary file, and its frames are computed in parts. The array has every
frame. A column of the picture is the maximum of its frames, so that a click is visible in a recording of
hours.
"""

import json
import math
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.decode import naming, open_decoding
from pipeline.common.blocks import read_blocks
from pipeline.common.files import atomic_path
from pipeline.config.inputs import SpectrogramConfig
from pipeline.errors import UserError

Floats = npt.NDArray[np.floating[Any]]

MOST_COLUMNS = 1500  # more than the picture has pixels
MEMORY_BYTES = 32 << 20
ARRAYS = (".npz", ".npy")
PICTURES = (".png",)


@dataclass(frozen=True)
class Frames:
    """Frames of a recording, which may be computed in parts repeatedly.

    Attributes:
        config: settings of the analysis.
        samples: number of mono samples at the rate of the analysis.
        spool: open file with these samples, int16.
    """

    config: SpectrogramConfig
    samples: int
    spool: IO[bytes]

    @property
    def count(self) -> int:
        """Number of frames, T."""
        return 1 + self.samples // self.config.hop_length

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.samples / self.config.sample_rate

    def parts(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the frames (t, D) in order: natural logarithms of magnitudes, independent of the division."""
        from pipeline.features.spectrogram_frames import SpectrogramFrames

        blocks = (block[:, 0] for block in read_blocks(self.spool, 1, np.dtype("int16")))
        yield from SpectrogramFrames(self.config).analysis.stream(blocks)


def write_spectrogram(
    sound: Path, config: SpectrogramConfig, picture: Path | None = None, array: Path | None = None
) -> dict[str, Any]:
    """Write the spectrogram of a recording as a picture, an array, or both. Existing files are replaced.

    Args:
        sound: sound file to read.
        config: settings of the analysis.
        picture: .png file to write.
        array: .npz or .npy file to write.

    Returns:
        Frames, bands, seconds and paths, as values that can be written as JSON.

    Raises:
        RecordingRejected: the recording cannot be used.
        UserError: a suffix is unknown, or settings are inconsistent.
    """
    check_suffix(picture, PICTURES)
    check_suffix(array, ARRAYS)
    from pipeline.features.spectrogram_frames import SpectrogramFrames
    from pipeline.plots.spectrogram import draw

    dimension = SpectrogramFrames(config).analysis.dimension
    frequencies_hz = band_frequencies(config)
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        with naming(sound), open_decoding(sound) as recording:
            for block in recording.blocks(config.sample_rate):
                spool.write(block.data)
        frames = Frames(config, recording.facts.samples, spool)  # type: ignore[arg-type]
        if array:
            write_array(array, frames, dimension)
        if picture:
            draw(picture, *columns(frames, dimension), config, frequencies_hz, sound.name)
        return {
            "sound": str(sound),
            "seconds": round(frames.seconds, 6),
            "frames": frames.count,
            "bands": dimension,
            "picture": str(picture) if picture else None,
            "array": str(array) if array else None,
        }


def check_suffix(path: Path | None, known: tuple[str, ...]) -> None:
    """Check the suffix of a path.

    Args:
        path: the file to be written; None is valid.
        known: valid suffixes, in lower case.

    Raises:
        UserError: the suffix is none of these.
    """
    if path and path.suffix.lower() not in known:
        raise UserError(f"{path}: unknown suffix; use {' or '.join(known)}", 2)


def band_frequencies(config: SpectrogramConfig) -> Floats:
    """Return the frequency (D,) in Hz of each bin, or of the centre of each mel band."""
    highest_hz = config.max_frequency_hz or config.sample_rate / 2
    if config.n_mels:
        import librosa

        edges = librosa.mel_frequencies(config.n_mels + 2, fmin=config.min_frequency_hz, fmax=highest_hz)
        return np.asarray(edges[1:-1], np.float64)
    width_hz = config.sample_rate / config.n_fft
    bins = np.arange(math.ceil(config.min_frequency_hz / width_hz), int(highest_hz / width_hz) + 1)
    return bins * width_hz


def write_array(path: Path, frames: Frames, dimension: int) -> None:
    """Write the frames (T, D); an .npz also has times_s (T,), frequencies_hz (D,) and the settings."""
    shape = (frames.count, dimension)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        if path.suffix.lower() == ".npy":
            _write_npy(file, shape, frames.parts())
            return
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open("frames.npy", "w", force_zip64=True) as member:
                _write_npy(member, shape, frames.parts())
            for name, values in {
                "times_s": np.arange(frames.count) * (frames.config.hop_length / frames.config.sample_rate),
                "frequencies_hz": band_frequencies(frames.config),
                "sample_rate": np.array(frames.config.sample_rate),
                "settings": np.array(json.dumps(frames.config.model_dump(mode="json"))),
            }.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, values, allow_pickle=False)


def _write_npy(file: IO[bytes], shape: tuple[int, int], parts: Iterator[npt.NDArray[np.float32]]) -> None:
    """Write a .npy file from an iterator over its parts."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part, "<f4").data)


def columns(frames: Frames, dimension: int) -> tuple[npt.NDArray[np.float32], float]:
    """Return the columns of a plot, at most `MOST_COLUMNS`. Each column is the maximum of its frames.

    Args:
        frames: the frames of a recording.
        dimension: values of a frame, D.

    Returns:
        The columns (C, D), and the seconds from one column to the next.
    """
    stride = -(-frames.count // MOST_COLUMNS)
    shown = np.full((-(-frames.count // stride), dimension), -np.inf, np.float32)
    begin = 0
    for part in frames.parts():
        first = begin // stride
        starts = np.arange(first, (begin + len(part) - 1) // stride + 1) * stride - begin
        loudest = np.maximum.reduceat(part, np.maximum(starts, 0), axis=0)
        target = shown[first : first + len(loudest)]
        np.maximum(target, loudest, out=target)
        begin += len(part)
    return shown, stride * frames.config.hop_length / frames.config.sample_rate
