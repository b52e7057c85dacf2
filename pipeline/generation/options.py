"""Sampling options of free running, and the random numbers of its draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

DEFAULT_SECONDS = 2.0
"""Length of a continuation."""
DEFAULT_TEMPERATURE = 1.0
DEFAULT_NOISE_SCALE = 0.95
"""Chosen on a grid of temperature and noise scale, by level and spectrum compared with the true continuation.

An autoregressive GRU keeps the level of 24 speakers that it was not trained on at this pair (-0.8 dB). At a
noise scale of 0.9 it is quieter by 3 dB, at 0.8 by 10 dB. At 1.0 it is louder by 3 dB, and its spectrum is
farther from the true one (11.7 dB instead of 8.7 dB). Below 1, a model is quieter the longer it was trained.
`wavecast bench continuations` measures both for any model.
"""

Mode = Literal["sample", "mean", "likely"]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SamplingOptions:
    """Options for drawing continuations.

    Attributes:
        takes: number of continuations, drawn in parallel.
        seed: seed of the first take; take i equals take 0 with the seed ``seed + i``.
        temperature: softmax temperature of the choice of the mixture's component; 1 is as predicted, less
            prefers likely components.
        noise_scale: factor of the chosen component's standard deviation.
        mode: `sample` draws, `mean` returns the mixture's mean, `likely` the mean of the most likely
            component.
    """

    takes: int = 1
    seed: int = 0
    temperature: float = DEFAULT_TEMPERATURE
    noise_scale: float = DEFAULT_NOISE_SCALE
    mode: Mode = "sample"

    def __post_init__(self) -> None:
        """Raise `UserError` where a value is out of range."""
        if not all(0 <= scale < float("inf") for scale in (self.temperature, self.noise_scale)):
            raise UserError("temperature and noise scale must be 0 or more", 2)
        if self.takes < 1 or self.seed < 0:
            raise UserError(f"takes={self.takes}, seed={self.seed}: give takes >= 1 and seed >= 0", 2)

    @property
    def noisy(self) -> bool:
        """Whether the draws depend on the predicted standard deviations."""
        return self.mode == "sample" and self.noise_scale > 0


class Draws:
    """Random numbers for steps, with a separate stream for each take.

    They are drawn in blocks of `BLOCK_STEPS`, so they do not depend on the sizes of requested portions.

    Args:
        sampling: seed and number of takes.
        size: values of a step, D.
    """

    BLOCK_STEPS = 256

    def __init__(self, sampling: SamplingOptions, size: int) -> None:
        self._size = size
        self._streams = [np.random.default_rng(sampling.seed + take) for take in range(sampling.takes)]
        self._left = (
            np.empty((sampling.takes, 0), np.float32),
            np.empty((sampling.takes, 0, size), np.float32),
        )

    def portions(self, steps: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield uniform numbers in [0, 1) (B, n) and standard normal ones (B, n, D) for ``steps`` steps."""
        while steps > 0:
            if not self._left[0].shape[1]:
                self._left = self._block()
            uniform, noise = self._left
            count = min(steps, uniform.shape[1])
            self._left = uniform[:, count:], noise[:, count:]
            steps -= count
            yield uniform[:, :count], noise[:, :count]

    def _block(self) -> tuple[Floats, Floats]:
        count = self.BLOCK_STEPS
        uniform = [stream.random(count, np.float32) for stream in self._streams]
        noise = [stream.standard_normal((count, self._size), np.float32) for stream in self._streams]
        return np.stack(uniform), np.stack(noise)
