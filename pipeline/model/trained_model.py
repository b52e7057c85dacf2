"""A trained model: a network with its representation and normalisation, in torch or compiled for a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.inputs import InputConfig
from pipeline.config.model import ModelConfig
from pipeline.errors import UserError
from pipeline.features.framing import Framing
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representation import Representation, SoundRepresentation
from pipeline.features.representations import representation_of
from pipeline.model.limiter import RmsLimiter

if TYPE_CHECKING:
    import torch

    from models.compiled.predictor import CompiledPredictor
    from pipeline.model.build import Network

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class TrainedModel:
    """A network and what it needs to meet recordings.

    The network itself is built when it is first used: what the compiled form can do needs no torch,
    whose import takes longer than continuing a recording by seconds.

    Attributes:
        input: the kind of input and its settings, the sample rate among them.
        model: the network's settings.
        normalisation: of the split it was trained on.
        trained: facts on the training: data set, steps, validation figure.
        build: makes the network, in evaluation mode, on its device.
        weights: its parameters and buffers by name.
        folder: where it was read from, for messages.
    """

    input: InputConfig
    model: ModelConfig
    normalisation: Normalisation
    trained: dict[str, Any]
    build: Callable[[], Network]
    weights: Callable[[], Weights]
    folder: Path | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        input_config: InputConfig,
        model: ModelConfig,
        normalisation: Normalisation,
        trained: dict[str, Any],
    ) -> TrainedModel:
        """Return a trained model of an existing network.

        Args:
            network: in torch, on any device.
            input_config: section `input` of the training.
            model: section `model` of the training.
            normalisation: moments of the training split.
            trained: facts of the training, as plain values.
        """

        def weights() -> Weights:
            return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}

        return cls(input_config, model, normalisation, trained, lambda: network, weights)

    @cached_property
    def network(self) -> Network:
        """The network in torch; `UserError` where the weights do not fit the configuration."""
        return self.build()

    @cached_property
    def why_not_compiled(self) -> str | None:
        """Why the model generates and compresses in torch; None where it is compiled for a CPU."""
        from models.compiled.predictor import unsupported

        if not self.representation.rows_are_samples:
            return f"models of {self.input.kind} have no compiled form"
        model = self.model
        return unsupported(
            model.cell, model.head, model.covariance, model.architecture, len(model.convolutions)
        )

    def require_draws(self) -> None:
        """Raise `UserError` where the head gives likelihoods, but no values to draw."""
        if self.framing.adaptive:
            raise UserError(f"nothing can be drawn from the head {self.model.head}: it scores and compresses")

    def engine(self) -> dict[str, str | None]:
        """Return which form generates, and why where it is not the compiled one, for people and machines."""
        reason = self.why_not_compiled
        return {"engine": "compiled" if reason is None else "torch", "engine_reason": reason}

    @cached_property
    def compiled(self) -> CompiledPredictor | None:
        """Return the network compiled for a CPU, or None where it has parts that only torch has.

        Raises:
            UserError: the weights do not fit the configuration.
        """
        from models.compiled.predictor import CompiledPredictor

        if self.why_not_compiled is not None:
            return None
        model = self.model
        step, weights = self.quantisation_step, self.weights()
        try:
            _require_parts(weights, model)
            return CompiledPredictor(
                weights,
                model.cell,
                seen=self.inputs_seen,
                target_size=self.framing.target_size,
                components=model.mixture_components,
                covariance=None if self.framing.adaptive else model.covariance,
                scale_floor=model.scale_floor * step,
                companding_step=step if model.companding else None,
                residual=model.residual,
            )
        except (KeyError, IndexError, ValueError, StopIteration) as problem:
            name = "" if self.folder is None else f"{self.folder}: "
            reason = f"its weights do not fit its configuration ({problem})"
            raise UserError(f"{name}damaged model: {reason}") from None

    @property
    def inputs_seen(self) -> int:
        """Values of a step that the network reads."""
        if not self.framing.adaptive:
            return self.representation.window
        from models.adaptive.guided import inputs_size

        return inputs_size(self.representation.window)

    @property
    def device(self) -> torch.device:
        """Where the weights of the network in torch are."""
        return next(self.network.parameters()).device

    @cached_property
    def representation(self) -> Representation:
        """The representation that the settings of the input select."""
        return representation_of(self.input)

    @cached_property
    def framing(self) -> Framing:
        """How rows become the model's steps."""
        return self.representation.framing(self.model)

    @cached_property
    def row_rate_hz(self) -> float:
        """Rows per second."""
        return self.representation.row_rate_hz

    @cached_property
    def step_s(self) -> float:
        """Seconds that a step predicts."""
        return self.framing.hop / self.row_rate_hz

    @cached_property
    def quantisation_step(self) -> float:
        """One quantisation step in normalised values."""
        return self.representation.quantisation_step(self.normalisation)

    @cached_property
    def audio(self) -> SoundRepresentation:
        """The representation of sound; `UserError` where the model is of notes."""
        sound = self.representation.sound
        if sound is None:
            raise UserError("this model continues MIDI files, not sound; name another with --model")
        return sound

    @cached_property
    def limiter(self) -> RmsLimiter | None:
        """The guard that keeps generated samples as loud as the training split was at most."""
        if not self.representation.rows_are_samples or "loudest_level" not in self.trained:
            return None
        return RmsLimiter.of(self.trained["loudest_level"], self.framing.hop, self.row_rate_hz)

    def normaliser(self) -> Normaliser:
        """Return the conversion between stored rows and the values that the network in torch reads."""
        return Normaliser(self.representation, self.normalisation, self.device)


def _require_parts(weights: Weights, model: ModelConfig) -> None:
    """Raise `ValueError` where the recurrent layers differ from the configuration."""
    layers = len({name.split(".")[2] for name in weights if name.startswith("recurrent.layers.")})
    units = next(array.shape[-1] for name, array in weights.items() if "weight_hh" in name)
    found = layers, "recurrent.norms.0.weight" in weights, "recurrent.start" in weights
    if found != (model.num_layers, model.layer_norm, model.learned_initial_state) or (
        model.parameter_budget is None and units != model.hidden_size
    ):
        raise ValueError("other recurrent layers")
