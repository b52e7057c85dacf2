"""Ways to fill gaps: the classical ones, their blend from both sides, and the blend with a model in it.

Which blend, and the numbers in it, were chosen by signal-to-noise ratio, log-spectral distance, ESTOI and
PESQ on validation speakers.
"""

from typing import Literal, get_args

import numpy as np

from pipeline.concealment.extrapolation import autoregression, repetition, silence
from pipeline.concealment.fill import Extrapolate, Floats, GapFiller, Samples
from pipeline.errors import UserError
from pipeline.model.trained_model import TrainedModel

Method = Literal["model", "blend", "ar", "repeat", "zero"]
METHODS: tuple[Method, ...] = get_args(Method)

TAKES, SPREAD = 16, 0.5
REPEATED, RISE_S = 2 / 3, 0.010
MODELLED = 1 / 3


def filler(method: Method, model: TrainedModel | None = None, seed: int = 0) -> GapFiller:
    """The ways to fill gaps.

    - `zero`: silence; `repeat`: the last pitch period; `ar`: a linear predictor of order 128. All three hear
      the left side alone, which is how they are known.
    - `blend`: predictor and repetition, from both sides (see `blended`).
    - `model`: the same, with the model's expectation in it on the left side.

    Raises `UserError` where ``model`` is needed and missing, or is not of samples.
    """
    if method == "model":
        return GapFiller(blended(model_expectation(model, seed)), blended())
    if method == "blend":
        return GapFiller(blended(), blended())
    return GapFiller({"zero": silence, "repeat": repetition, "ar": autoregression}[method])


def model_expectation(model: TrainedModel | None, seed: int = 0) -> Extrapolate:
    """What the model expects: the average of 16 takes, drawn with half of the scales that it says.

    The average of what may come errs least, and falls silent by itself as takes go different ways.
    Raises `UserError` where there is no model, or it is not of samples.
    """
    if model is None:
        raise UserError("a model is needed to fill gaps by one", 2)
    if not model.audio.rows_are_samples:
        raise UserError("this model is of spectrograms, too coarse for gaps; name a model of waveforms")

    def expectation(history: Samples, count: int, sample_rate: int) -> Floats:
        from pipeline.generation.engine import free_run
        from pipeline.generation.options import SamplingOptions

        run = free_run(model, history[:, None], SamplingOptions(TAKES, seed, noise_scale=SPREAD))
        takes = np.concatenate([rows[:, :, 0] for rows in run.rows(count)], axis=1)
        return np.asarray(takes[:, :count].mean(0, np.float64))

    return expectation


def blended(expectation: Extrapolate | None = None) -> Extrapolate:
    """A linear predictor, which follows a sound most closely at first, giving way to its last period.

    Over 10 ms the share of the repetition rises to two thirds. A model's ``expectation`` has one third of
    what is not repeated.
    """

    def blend(history: Samples, count: int, sample_rate: int) -> Floats:
        predicted = autoregression(history, count, sample_rate)
        if expectation is not None:
            modelled = expectation(history, count, sample_rate)
            predicted = (1 - MODELLED) * predicted + MODELLED * modelled
        share = REPEATED * np.minimum(1, np.arange(count) / (RISE_S * sample_rate))
        return np.asarray((1 - share) * predicted + share * repetition(history, count, sample_rate))

    return blend
