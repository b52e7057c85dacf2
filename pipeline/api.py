"""Trained models in a program: what the command line does, with arrays.

from pipeline import load_model

model = load_model("models:/wavecast@champion")
longer = model.predict(samples, 44_100, seconds=2).sound(0)
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import Samples, resample, to_float, to_int16
from pipeline.errors import UserError
from pipeline.generation.continuation import END_TO_END, Continuation, Joint
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import Kind, Sampling
from pipeline.model.storage import load_model as load_folder
from pipeline.model.trained_model import TrainedModel
from pipeline.registry.registry import fetch_model

if TYPE_CHECKING:
    from pipeline.scoring.windows import RecordingScore


class Model:
    """A trained model of sound.

    Sound is an array (N,) or (N, channels), int16 or floats of full scale 1, at any rate: channels are
    averaged and the rate is converted. What the model makes is mono int16 at its own rate.

    Attributes:
        trained: the network, its settings and its normalisation.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.trained = trained

    @property
    def sample_rate(self) -> int:
        """Of what the model hears and makes, in Hz; `UserError` where it is of notes."""
        return self.trained.audio.sample_rate

    def predict(
        self,
        samples: NDArray[Any],
        sample_rate: int,
        seconds: float = 2.0,
        *,
        takes: int = 1,
        seed: int = 0,
        temperature: float = 1.0,
        spread: float | None = None,
        kind: Kind = "sample",
        joint: Joint = END_TO_END,
    ) -> Continuation:
        """Continue a recording by ``seconds``; of several takes the nearest to it in sound comes first.

        See `Sampling` for how they are drawn and `Joint` for how recording and continuation are joined.
        Raises `UserError` for what cannot be.
        """
        sampling = Sampling(takes, seed, temperature, spread, kind)
        return continue_samples(self.trained, self._heard(samples, sample_rate), seconds, sampling, joint)

    def generate(
        self,
        seconds: float,
        *,
        takes: int = 1,
        seed: int = 0,
        temperature: float = 1.0,
        spread: float | None = None,
    ) -> Continuation:
        """Sound from nothing: `added` (takes, N) of a continuation that heard nothing."""
        sampling = Sampling(takes, seed, temperature, spread)
        return continue_samples(self.trained, np.zeros(0, np.int16), seconds, sampling)

    def score(self, samples: NDArray[Any], sample_rate: int, window_s: float = 0.1) -> "RecordingScore":
        """How surprising a recording is, as a whole and over time in stretches of ``window_s`` seconds."""
        from pipeline.scoring.recordings import score_samples

        return score_samples(self.trained, [self._heard(samples, sample_rate)], window_s)

    def _heard(self, samples: NDArray[Any], sample_rate: int) -> Samples:
        if samples.dtype == np.int16 and samples.ndim == 1 and sample_rate == self.sample_rate:
            return samples
        if samples.dtype == np.int16:
            samples = to_float(samples)
        if not np.issubdtype(samples.dtype, np.floating) or samples.ndim not in (1, 2) or sample_rate < 1:
            raise UserError("samples must be int16 or floats, (N,) or (N, channels), at a positive rate", 2)
        if not np.isfinite(samples).all():
            raise UserError("samples must be finite")
        mono = samples if samples.ndim == 1 else samples.mean(1)
        return to_int16(resample(mono, sample_rate, self.sample_rate))


def load_model(model: str | Path = "", device: str = "auto") -> Model:
    """Load a model: its folder, `runs:/ID/model` or `models:/NAME@ALIAS`; the registered champion when empty.

    ``device`` is where its network in torch computes, if it is needed: `auto`, `cpu`, `cuda`. Raises
    `UserError` where there is no such model or it cannot be used.
    """
    return Model(load_folder(fetch_model(str(model)), device))
