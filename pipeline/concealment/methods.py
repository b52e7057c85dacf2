"""Concealment methods: the classical ones, their blend from both sides, and the blend with a model.

The blend and its constants were chosen by signal-to-noise ratio, log-spectral distance, ESTOI and PESQ on
validation speakers.
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
    """Return the extrapolations of a concealment method.

    - `zero`: silence; `repeat`: the last pitch period; `ar`: a linear predictor of order 128. These use the
      left side only, as in the literature.
    - `blend`: predictor and repetition, from both sides (see `blended`).
    - `model`: as `blend`, with the model's expectation on the left side.

    Args:
        method: name of the method.
        model: model of waveforms, for `model` only.
        seed: seed of the model's draws.

    Raises:
        UserError: the model is needed and missing, or it is not one of waveforms.
    """
    if method == "model":
        return GapFiller(blended(model_expectation(model, seed)), blended())
    if method == "blend":
        return GapFiller(blended(), blended())
    return GapFiller({"zero": silence, "repeat": repetition, "ar": autoregression}[method])


def model_expectation(model: TrainedModel | None, seed: int = 0) -> Extrapolate:
    """Return the model's expectation as an extrapolation: the mean of 16 takes, drawn with half of the scale.

    The mean of possible continuations has the least squared error. It fades by itself as the takes diverge.

    Args:
        model: model of waveforms.
        seed: of the first take's draws.

    Raises:
        UserError: there is no model, or it is not one of waveforms, or draws nothing.
    """
    if model is None:
        raise UserError("a model is needed to fill gaps by one", 2)
    if not model.audio.rows_are_samples:
        raise UserError("this model is of spectrograms, too coarse for gaps; name a model of waveforms")
    model.require_draws()

    def expectation(history: Samples, count: int, sample_rate: int) -> Floats:
        from pipeline.generation.engine import free_run
        from pipeline.generation.options import SamplingOptions

        run = free_run(model, history[:, None], SamplingOptions(TAKES, seed, noise_scale=SPREAD))
        takes = np.concatenate([rows[:, :, 0] for rows in run.rows(count)], axis=1)
        return np.asarray(takes[:, :count].mean(0, np.float64))

    return expectation


def blended(expectation: Extrapolate | None = None) -> Extrapolate:
    """Return a blend of linear prediction, which is more accurate at first, and pitch repetition.

    Over 10 ms the share of the repetition increases to two thirds. Where given, a model's ``expectation`` is
    one third of the rest.
    """

    def blend(history: Samples, count: int, sample_rate: int) -> Floats:
        predicted = autoregression(history, count, sample_rate)
        if expectation is not None:
            modelled = expectation(history, count, sample_rate)
            predicted = (1 - MODELLED) * predicted + MODELLED * modelled
        share = REPEATED * np.minimum(1, np.arange(count) / (RISE_S * sample_rate))
        return np.asarray((1 - share) * predicted + share * repetition(history, count, sample_rate))

    return blend
