"""Trained models with methods on arrays and files. The public name of this module is `wavecast`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.audio.pcm import Samples, resample, to_float, to_int16
from pipeline.common.files import expanded
from pipeline.common.places import local_copy, place_of
from pipeline.errors import RecordingRejected, UserError
from pipeline.generation.continuation import END_TO_END, Continuation, JoinOptions
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import (
    DEFAULT_NOISE_SCALE,
    DEFAULT_SECONDS,
    DEFAULT_TEMPERATURE,
    Mode,
    SamplingOptions,
)
from pipeline.model.trained_model import TrainedModel
from pipeline.registry.registry import find_model

if TYPE_CHECKING:
    from pipeline.scoring.windows import RecordingScore


Recording = ArrayLike | str | Path
"""A path, or samples (N,) or (N, channels): int16, or floats of full scale 1."""


class Model:
    """A trained model of audio.

    A recording is a path, or samples (N,) or (N, channels), int16 or floats of full scale 1, at any rate:
    channels are averaged and the rate is converted. Generated audio is mono int16 at the model's own rate.

    Attributes:
        trained: the network, its settings and its normalisation.
        folder: where it was loaded from; None for a model that was built in memory.
    """

    def __init__(self, trained: TrainedModel, folder: Path | None = None) -> None:
        self.trained = trained
        self.folder = folder

    def __repr__(self) -> str:
        """Return the kind of input, the network and the folder as text."""
        of, network = self.trained.input, self.trained.model
        rate = f" at {of.sample_rate} Hz" if hasattr(of, "sample_rate") else ""
        units = f"{network.num_layers} x {network.cell}" if network.num_layers > 1 else network.cell
        place = f", {self.folder}" if self.folder else ""
        return f"<Model of {of.kind}{rate}: {units}, {network.head} head{place}>"

    @property
    def sample_rate(self) -> int:
        """Return the sample rate of predicted audio in Hz.

        Raises:
            UserError: the model is of notes.
        """
        return self.trained.audio.sample_rate

    def predict(
        self,
        recording: Recording,
        sample_rate: int | None = None,
        seconds: float = DEFAULT_SECONDS,
        *,
        takes: int = 1,
        seed: int = 0,
        temperature: float = DEFAULT_TEMPERATURE,
        noise_scale: float = DEFAULT_NOISE_SCALE,
        mode: Mode = "sample",
        join: JoinOptions = END_TO_END,
        kind: Mode | None = None,
    ) -> Continuation:
        """Continue a recording; of several takes, the one nearest to it in sound comes first.

        Args:
            recording: a path, or samples (N,) or (N, channels), int16 or floats of full scale 1.
            sample_rate: of samples, in Hz; None for a path.
            seconds: length of the continuation.
            takes: number of continuations.
            seed: of the random numbers.
            temperature, noise_scale, mode: see `SamplingOptions`.
            join: how the recording and its continuation are joined.
            kind: an earlier name of ``mode``.

        Returns:
            The recording, mono int16 at the model's rate, and its continuations (takes, M).

        Raises:
            UserError: the recording cannot be used, or an argument is out of its range.
        """
        sampling = SamplingOptions(takes, seed, temperature, noise_scale, kind or mode)
        return continue_samples(self.trained, self._mono(recording, sample_rate), seconds, sampling, join)

    def generate(
        self,
        seconds: float = DEFAULT_SECONDS,
        *,
        takes: int = 1,
        seed: int = 0,
        temperature: float = DEFAULT_TEMPERATURE,
        noise_scale: float = DEFAULT_NOISE_SCALE,
    ) -> Continuation:
        """Generate audio without a recording.

        Args:
            seconds: length of the audio.
            takes: number of results.
            seed: of the random numbers.
            temperature, noise_scale: see `SamplingOptions`.

        Returns:
            A continuation of an empty recording: its `added` (takes, N) is the generated audio.

        Raises:
            UserError: the model is one of notes, or an argument is out of its range.
        """
        sampling = SamplingOptions(takes, seed, temperature, noise_scale)
        return continue_samples(self.trained, np.zeros(0, np.int16), seconds, sampling)

    def score(
        self, recording: Recording, sample_rate: int | None = None, window_s: float = 0.1
    ) -> "RecordingScore":
        """Measure the negative log-likelihood of a recording, as a whole and in windows.

        Args:
            recording: a path, or samples (N,) or (N, channels), int16 or floats of full scale 1.
            sample_rate: of samples, in Hz; None for a path.
            window_s: length of a window, in seconds.

        Returns:
            Nats per step and, for a model of samples, bits per sample, alone and with adaptive experts.

        Raises:
            UserError: the recording cannot be used.
        """
        from pipeline.coding.layout import layout_of_samples
        from pipeline.scoring.recordings import score_samples

        samples = self._mono(recording, sample_rate)
        return score_samples(self.trained, [samples], window_s, layout_of_samples(samples))

    def _mono(self, recording: Recording, sample_rate: int | None) -> Samples:
        return mono_samples(recording, sample_rate, self.sample_rate)[0]


def mono_samples(recording: Recording, sample_rate: int | None, to_rate: int | None) -> tuple[Samples, int]:
    """Return a recording as mono samples (N,) int16, and their rate in Hz.

    Args:
        recording: a path, or samples (N,) or (N, channels), int16 or floats of full scale 1.
        sample_rate: of samples, in Hz; None for a path.
        to_rate: rate of the result in Hz; None keeps the recording's own.

    Raises:
        UserError: the samples are invalid, or have no rate.
        RecordingRejected: the file cannot be used.

    Example:
        Two channels are averaged, and full scale 1 becomes 32,768 steps:

        >>> samples, rate = mono_samples([[0.5, 0.0], [-0.25, -0.25]], 8000, None)
        >>> samples.tolist(), rate
        ([8192, -8192], 8000)
    """
    if isinstance(recording, str | Path):
        from pipeline.audio.decode import probe, read_mono

        named = place_of(recording)
        path = expanded(named) if isinstance(named, Path) else named
        if sample_rate is not None:
            raise UserError(f"{path}: a file has its own sample rate; leave sample_rate out", 2)
        try:
            with local_copy(path) as local:
                rate = to_rate or probe(local).sample_rate
                return read_mono(local, rate)[0], rate
        except RecordingRejected as rejection:
            raise rejection.about(path) from None
    if sample_rate is None:
        raise UserError("give the rate of the samples in Hz: sample_rate=...", 2)
    samples, rate = checked_samples(recording, sample_rate), to_rate or sample_rate
    if samples.dtype == np.int16 and samples.ndim == 1 and rate == sample_rate:
        return samples, rate
    floats = to_float(samples) if samples.dtype == np.int16 else samples
    mono = floats if floats.ndim == 1 else floats.mean(1)
    return to_int16(resample(mono, sample_rate, rate)), rate


def checked_samples(samples: ArrayLike, sample_rate: int) -> NDArray[Any]:
    """Return samples as an array of int16 or floats, (N,) or (N, channels).

    A list of floats is converted; a list of integers becomes int16 if all are in its range.

    Args:
        samples: an array or a list.
        sample_rate: in Hz.

    Raises:
        UserError: another type or shape, values that are not finite, or no positive rate.

    Example:
        >>> str(checked_samples([0, 1, -1], 8000).dtype), str(checked_samples([0.0, 0.5], 8000).dtype)
        ('int16', 'float64')
    """
    try:
        found = np.asarray(samples)
    except ValueError:  # rows of different lengths
        found = np.empty(0, object)
    if not isinstance(samples, np.ndarray) and found.dtype.kind == "i" and found.size:
        limits = np.iinfo(np.int16)
        if limits.min <= found.min() and found.max() <= limits.max:
            found = found.astype(np.int16)
    right = found.dtype == np.int16 or np.issubdtype(found.dtype, np.floating)
    if not right or found.ndim not in (1, 2) or sample_rate < 1:
        raise UserError("samples must be int16 or floats, (N,) or (N, channels), at a positive rate", 2)
    if not np.isfinite(found).all():
        raise UserError("samples must be finite")
    return found


def load_model(model: str | Path = "", device: str = "auto") -> Model:
    """Return a trained model.

    Args:
        model: its folder, `runs:/ID/model` or `models:/NAME@ALIAS`; the registered champion when empty.
        device: where its network in torch computes, if it is needed: `auto`, `cpu`, `cuda`.

    Raises:
        UserError: there is no such model, or it cannot be used.
    """
    found = find_model(str(model))
    return Model(found.load(device), found.folder)
