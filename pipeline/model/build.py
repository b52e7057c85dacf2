"""Building of networks with fresh weights: the one place where configuration meets `models`."""

import math
from typing import Any

import torch
from torch import nn

from models.convolution import ConvolutionFrontend
from models.distributions.notes import BernoulliHead, NadeHead
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.head_kinds import head_kind
from models.heads import AutoregressiveMixtureHead
from models.parameter_counts import largest_width
from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack
from pipeline.config.inputs import InputConfig
from pipeline.config.model import ModelConfig
from pipeline.data.dataset import Dataset
from pipeline.errors import UserError
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of

Network = Predictor | EncoderDecoder


def build_network(input_config: InputConfig, model: ModelConfig, normalisation: Normalisation) -> Network:
    """Return the network that a configuration describes, with fresh weights.

    Args:
        input_config: section `input`.
        model: section `model`.
        normalisation: moments of the training split, which some heads need.

    Raises:
        UserError: not even one unit fits into the parameter budget.
    """
    if model.parameter_budget is None:
        return _build(input_config, model, normalisation, model.hidden_size)

    def count(hidden_size: int) -> int:
        with torch.random.fork_rng(devices=[]):  # what is built to be counted draws no number of the run's
            return _build(input_config, model, normalisation, hidden_size).recurrent_parameter_count()

    try:
        return _build(input_config, model, normalisation, largest_width(count, model.parameter_budget))
    except ValueError as problem:
        raise UserError(f"model.parameter_budget={model.parameter_budget}: {problem}", 2) from None


def _build(
    input_config: InputConfig, model: ModelConfig, normalisation: Normalisation, hidden_size: int
) -> Network:
    layers: dict[str, Any] = {
        "num_layers": model.num_layers,
        "dropout": model.dropout,
        "layer_norm": model.layer_norm,
        "residual": model.residual,
        "learned_initial_state": model.learned_initial_state,
    }
    representation = representation_of(input_config)
    window, width = representation.window, representation.row_width
    step = representation.quantisation_step(normalisation)
    head = _head(model, hidden_size, representation.framing(model).target_size, step)
    if head_kind(model.head, model.covariance).adaptive:
        from models.adaptive.guided import inputs_size  # compiles, which other heads do without

        seen = inputs_size(window)
        return Predictor(
            seen,
            RecurrentStack(model.cell, seen, hidden_size, **layers),
            head,
            output_dropout=model.output_dropout,
        )
    if model.architecture == "encoder-decoder":
        layers |= {"decode_steps": model.decode_steps, "attention_steps": model.attention_steps}
        layers |= {"output_dropout": model.output_dropout}
        return EncoderDecoder(window, width, model.cell, hidden_size, head=head, **layers)
    if not model.convolutions:
        features = window * width * (2 if model.companding else 1)
        recurrent = RecurrentStack(model.cell, features, hidden_size, **layers)
        companding_step = step if model.companding else None
        return Predictor(window * width, recurrent, head, None, companding_step, model.output_dropout)
    frontend = ConvolutionFrontend(window, representation.hop, width, model.convolutions)
    recurrent = RecurrentStack(model.cell, frontend.output_size, hidden_size, **layers)
    seen = frontend.input_rows * width
    return Predictor(seen, recurrent, head, frontend, output_dropout=model.output_dropout)


def _head(model: ModelConfig, hidden_size: int, target_size: int, step: float) -> nn.Module:
    settings = model.model_dump() | {"scale_floor": model.scale_floor * step, "quantisation_step": step}
    head: nn.Module = head_kind(model.head, model.covariance).build(hidden_size, target_size, settings)
    return head


def start_head(network: Network, dataset: Dataset) -> None:
    """Initialise a head from statistics of the training split.

    An autoregressive head starts at the split's linear predictor, a head of notes at how often each note
    sounds. Other heads stay unchanged.

    Args:
        network: its head is changed in place.
        dataset: the prepared data set.
    """
    head = network.head
    if isinstance(head, BernoulliHead | NadeHead):
        head.start_at(_log_odds_of_notes(dataset))
    if not isinstance(head, AutoregressiveMixtureHead):
        return
    from pipeline.audio.linear_prediction import (
        fit_linear_predictor,  # imports scipy.signal, which takes a second
    )

    recordings = (dataset.recording_rows(int(i))[:, 0].numpy() for i in dataset.require("train"))
    fitted = fit_linear_predictor(recordings, head.order)
    mean, std = dataset.normalisation.mean[0], dataset.normalisation.std[0]
    coefficients = torch.from_numpy(fitted.coefficients).float()
    residual_std = (
        math.sqrt(fitted.residual_weight @ fitted.residual_std**2) * dataset.representation.unit / std
    )
    # x = m + s v turns sum a x into an offset beside sum a v.
    head.start_at(coefficients, residual_std, float(coefficients.sum() - 1) * mean / std)


def _log_odds_of_notes(dataset: Dataset) -> torch.Tensor:
    """Return the log odds (D,) that each note sounds at a step of the training split.

    Half a step is added to both counts, so that a note that never sounds keeps a finite value.
    """
    sounding, steps = torch.zeros(dataset.representation.row_width, dtype=torch.float64), 0
    for index in dataset.require("train"):
        rows = dataset.recording_rows(int(index))
        sounding += rows.double().sum(0)
        steps += len(rows)
    return torch.log((sounding + 0.5) / (steps - sounding + 0.5)).float()
