"""Sound to log-magnitude frames, linear or mel, and back to sound.

Analysis is the short-time Fourier transform with a Hann window, each frame centred on its sample and silence
assumed beyond both ends; the mel filters are Slaney's, as in librosa, which the tests compare with. The way
back has no phases: they are found by the algorithm of Griffin and Lim (1984) in the fast form of Perraudin,
Balazs and Søndergaard (2013).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import INT16_SCALE
from pipeline.errors import UserError

if TYPE_CHECKING:
    import torch

FRAMES_AT_ONCE = 1024  # bounds the memory, and makes a stream and a whole recording the same arithmetic
NONNEGATIVE_UPDATES = 32


@dataclass(frozen=True)
class Spectrogram:
    """The numbers of one analysis; equal numbers give equal frames.

    A sine of full scale has a magnitude of a quarter of the window's length.

    Attributes:
        sample_rate: in Hz.
        window_length, hop_length, n_fft: in samples.
        n_mels: number of mel bands; 0 for the linear bins between the two frequencies.
        min_frequency_hz, max_frequency_hz: of the bins or bands; None is half the sample rate.
        floor: smaller magnitudes are raised to it, since silence has no logarithm.

    Raises:
        UserError: the numbers do not fit each other.
    """

    sample_rate: int
    window_length: int
    hop_length: int
    n_fft: int
    n_mels: int = 0
    min_frequency_hz: float = 0.0
    max_frequency_hz: float | None = None
    floor: float = 1e-5

    def __post_init__(self) -> None:
        rules = {
            "n_fft must be even": self.n_fft % 2 == 0,
            "window_length must be from 2 to n_fft": 2 <= self.window_length <= self.n_fft,
            "hop_length must be 1 to half a window_length": 1 <= self.hop_length <= self.window_length // 2,
            "min_frequency_hz must be below max_frequency_hz": 0 <= self.min_frequency_hz < self._highest_hz,
            "max_frequency_hz must be at most half of sample_rate": self._highest_hz <= self.sample_rate / 2,
            "n_mels must not be negative": self.n_mels >= 0,
            "floor must be positive": self.floor > 0,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if not broken and self.dimension < 1:
            broken = ["no bin of n_fft lies between the two frequencies"]
        if broken:
            raise UserError(f"{self}: {'; '.join(broken)}", exit_code=2)

    @property
    def _highest_hz(self) -> float:
        return self.sample_rate / 2 if self.max_frequency_hz is None else self.max_frequency_hz

    @property
    def _bins(self) -> slice:
        """The bins of the transform whose centres lie from the lowest to the highest frequency."""
        bin_width_hz = self.sample_rate / self.n_fft
        first = int(np.ceil(self.min_frequency_hz / bin_width_hz))
        return slice(first, int(self._highest_hz / bin_width_hz) + 1)

    @property
    def dimension(self) -> int:
        """Values in a frame, ``D``."""
        return self.n_mels or self._bins.stop - self._bins.start

    @property
    def frame_rate_hz(self) -> float:
        """Frames in a second."""
        return self.sample_rate / self.hop_length

    def frame_count(self, samples: int) -> int:
        """Return the number of frames T of a recording of N samples, ``1 + N // hop_length``.

        Example:
            >>> analysis = Spectrogram(16_000, window_length=400, hop_length=160, n_fft=512)
            >>> analysis.frame_count(16_000)
            101
        """
        return 1 + samples // self.hop_length

    def frames(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the log-magnitude frames (T, D) of a recording, on the samples' device.

        A value is the natural logarithm of a bin's magnitude, or of a mel band's weighted sum of magnitudes.
        Frame ``t`` is centred on sample ``t * hop_length``.

        Args:
            samples: (N,), int16 or floats of full scale 1; any number of them.

        Example:
            >>> import torch
            >>> analysis = Spectrogram(16_000, window_length=400, hop_length=160, n_fft=512, n_mels=80)
            >>> tuple(analysis.frames(torch.zeros(16_000)).shape)
            (101, 80)
        """
        import torch

        return torch.cat(list(self._stream([samples], samples.device)))

    def stream(
        self, blocks: Iterable[NDArray[np.int16]], device: str = "cpu"
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the frames of a recording in parts (t, D), bit for bit those of the whole.

        Args:
            blocks: int16 samples (n,), front to back.
            device: of the computation, `cpu` or `cuda`.
        """
        import torch

        tensors = (torch.tensor(block) for block in blocks)
        for frames in self._stream(tensors, torch.device(device)):
            yield frames.cpu().numpy()

    def _stream(self, blocks: Iterable[torch.Tensor], device: torch.device) -> Iterator[torch.Tensor]:
        import torch

        silence = torch.zeros(self.n_fft // 2, device=device)
        step = FRAMES_AT_ONCE * self.hop_length
        needed = step - self.hop_length + self.n_fft
        held = silence
        for block in chain(blocks, [silence]):
            held = torch.cat([held, _full_scale_one(block.to(device))])
            while len(held) >= needed:
                yield self._analyse(held[:needed])
                held = held[step:]
        if len(held) >= self.n_fft:
            yield self._analyse(held)

    def _analyse(self, samples: torch.Tensor) -> torch.Tensor:
        """Frames (t, D) of the windows that lie wholly within ``samples``."""
        import torch

        transform = torch.stft(samples, **self._lengths(samples.device), center=False, return_complex=True)
        magnitudes = transform.abs().T
        values = magnitudes @ self._mel_filters(samples.device) if self.n_mels else magnitudes[:, self._bins]
        return values.clamp_min(self.floor).log()

    def invert(self, frames: torch.Tensor, seed: int, iterations: int = 32) -> torch.Tensor:
        """Return sound (N,) whose frames are close to the given ones, floats of full scale 1.

        ``N = (T - 1) * hop_length``. The same seed gives the same samples on the same kind of device.
        Peaks may exceed full scale.

        Args:
            frames: (T, D), natural logarithms of magnitudes.
            seed: of the random phases that the algorithm begins with.
            iterations: of the algorithm of Griffin and Lim.

        Raises:
            UserError: torchaudio does not load.
        """
        import torch

        torchaudio = _torchaudio()
        silent_frames = -(-self.n_fft // self.hop_length)  # enough that both ends contain silence only
        magnitudes = self._magnitudes(frames.float()).T
        devices = [frames.device] if frames.is_cuda else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            samples: torch.Tensor = torchaudio.functional.griffinlim(
                torch.nn.functional.pad(magnitudes, (silent_frames, silent_frames)),
                **self._lengths(frames.device),
                power=1.0,
                n_iter=iterations,
                momentum=0.99,
                length=None,
                rand_init=True,
            )
        start = silent_frames * self.hop_length
        return samples[start : start + (len(frames) - 1) * self.hop_length]

    def _lengths(self, device: torch.device) -> dict[str, Any]:
        import torch

        window = torch.hann_window(self.window_length, device=device)
        sizes = {"n_fft": self.n_fft, "hop_length": self.hop_length, "win_length": self.window_length}
        return {**sizes, "window": window}

    def _magnitudes(self, frames: torch.Tensor) -> torch.Tensor:
        """Magnitudes (T, n_fft // 2 + 1) of frames (T, D); zero outside of the two frequencies."""
        import torch

        values = frames.exp()
        if not self.n_mels:
            end = self.n_fft // 2 + 1 - self._bins.stop
            return torch.nn.functional.pad(values, (self._bins.start, end))
        # Least squares over magnitudes that are not negative, by the multiplicative updates of Lee and
        # Seung (2001): on harmonic sound 1 dB nearer than a pseudo-inverse cut off at zero, on speech 0.1.
        filters = self._mel_filters(frames.device)
        tiny = torch.finfo(filters.dtype).tiny
        weights = filters / filters.sum(1, keepdim=True).clamp_min(tiny)
        magnitudes = (values / filters.sum(0)) @ weights.T
        for _ in range(NONNEGATIVE_UPDATES):
            magnitudes *= (values @ filters.T) / (magnitudes @ filters @ filters.T).clamp_min(tiny)
        return magnitudes

    def _mel_filters(self, device: torch.device) -> torch.Tensor:
        numbers = (self.n_fft, self.sample_rate, self.n_mels, float(self.min_frequency_hz), self._highest_hz)
        return _mel_filters(*numbers).to(device)


@functools.cache
def _mel_filters(
    n_fft: int, sample_rate: int, n_mels: int, lowest_hz: float, highest_hz: float
) -> torch.Tensor:
    """Weights (n_fft // 2 + 1, n_mels); a band that no bin falls into is a `UserError`."""
    torchaudio = _torchaudio()
    with warnings.catch_warnings(action="ignore"):  # about empty bands, which are rejected below
        filters: torch.Tensor = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, lowest_hz, highest_hz, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
        )
    empty = int((filters.amax(0) == 0).sum())
    if empty:
        problem = f"{empty} of {n_mels} mel bands hold no bin of n_fft {n_fft}; lower n_mels or raise n_fft"
        raise UserError(f"spectrogram settings: {problem}", exit_code=2)
    return filters


def _full_scale_one(samples: torch.Tensor) -> torch.Tensor:
    return samples.float() if samples.is_floating_point() else samples / INT16_SCALE


def _torchaudio() -> Any:
    """The module torchaudio; where it is missing or of another build than torch, a `UserError` saying so."""
    import torch

    try:
        import torchaudio
        import torchaudio.functional
    except (ImportError, OSError, RuntimeError) as problem:
        try:
            found = f"torchaudio {version('torchaudio')} does not load beside torch {torch.__version__}"
        except PackageNotFoundError:
            found = f"torchaudio is missing beside torch {torch.__version__}"
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UserError(
            f"{found} ({reason}); mel frames and sound from frames need both of one version and build: "
            "pip install 'torch>=2.11,<2.12' 'torchaudio>=2.11,<2.12'"
        ) from None
    return torchaudio
