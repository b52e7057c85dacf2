"""A trained model is one folder, `config.json` and `model.safetensors`, with all that using it needs.

Loading runs no code from the folder: the configuration is validated JSON, the weights are safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pipeline.config_input import AudioConfig, InputConfig, PianoRollConfig, WaveformConfig
from pipeline.config_model import ModelConfig
from pipeline.errors import UserError
from pipeline.features import (
    Normalisation,
    Normaliser,
    framing,
    quantisation_step,
    row_rate_hz,
    row_width,
    window_and_advance,
)
from pipeline.files import atomic_path, read_json, write_json
from pipeline.framing import Framing
from pipeline.loudness import LevelGuard

if TYPE_CHECKING:
    import torch

    from models.compiled import CompiledPredictor
    from pipeline.networks import Network

FORMAT = "wavecast-model-2"

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class TrainedModel:
    """A network and what it needs to meet recordings.

    The network itself is built when it is first asked for: what the compiled form can do needs no torch,
    whose import takes longer than continuing a recording by seconds.

    Attributes:
        input: the kind of input and its settings, the sample rate among them.
        model: the network's settings.
        normalisation: of the split it was trained on.
        trained: facts on the training: data set, steps, validation figure.
        build: makes the network, in evaluation mode, on its device.
        weights: its parameters and buffers by name.
    """

    input: InputConfig
    model: ModelConfig
    normalisation: Normalisation
    trained: dict[str, Any]
    build: Callable[[], Network]
    weights: Callable[[], Weights]

    @classmethod
    def of(
        cls,
        network: Network,
        input_config: InputConfig,
        model: ModelConfig,
        normalisation: Normalisation,
        trained: dict[str, Any],
    ) -> TrainedModel:
        """A model of a network that is there already."""

        def weights() -> Weights:
            return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}

        return cls(input_config, model, normalisation, trained, lambda: network, weights)

    @cached_property
    def network(self) -> Network:
        """The network in torch; `UserError` where the weights do not fit the configuration."""
        return self.build()

    @cached_property
    def compiled(self) -> CompiledPredictor | None:
        """The network compiled for a CPU, or None where it has parts that only torch has.

        Raises `UserError` where the weights do not fit the configuration.
        """
        from models.compiled import CompiledPredictor, supported

        model = self.model
        if not isinstance(self.input, WaveformConfig) or not supported(
            model.cell, model.head, model.covariance, model.architecture, len(model.convolutions)
        ):
            return None
        step, weights = quantisation_step(self.input, self.normalisation), self.weights()
        try:
            _require_parts(weights, model)
            return CompiledPredictor(
                weights,
                model.cell,
                seen=window_and_advance(self.input)[0],
                target_size=self.framing.target_size,
                components=model.mixture_components,
                covariance=model.covariance,
                scale_floor=model.scale_floor * step,
                companding_step=step if model.companding else None,
                residual=model.residual,
            )
        except (KeyError, IndexError, ValueError, StopIteration) as problem:
            raise UserError(f"damaged model: its weights do not fit its configuration ({problem})") from None

    @property
    def device(self) -> torch.device:
        """Where the weights of the network in torch are."""
        return next(self.network.parameters()).device

    @property
    def framing(self) -> Framing:
        """How rows become the model's steps."""
        return framing(self.input, self.model)

    @property
    def step_s(self) -> float:
        """Seconds that a step predicts."""
        return self.framing.hop / row_rate_hz(self.input)

    @property
    def audio(self) -> AudioConfig:
        """The kind of sound; `UserError` where the model is of notes."""
        if isinstance(self.input, PianoRollConfig):
            raise UserError("this model continues MIDI files, not sound; name another with --model")
        return self.input

    def level_guard(self) -> LevelGuard | None:
        """The guard that keeps generated samples as loud as the training split was at most."""
        if not isinstance(self.input, WaveformConfig) or "loudest_level" not in self.trained:
            return None
        return LevelGuard.of(self.trained["loudest_level"], self.framing.hop, self.input.sample_rate)

    def normaliser(self) -> Normaliser:
        """Between stored rows and the values that the network in torch sees."""
        return Normaliser(self.input, self.normalisation, self.device)


def save_model(
    folder: Path,
    weights: Mapping[str, torch.Tensor],
    input_config: InputConfig,
    model_config: ModelConfig,
    normalisation: Normalisation,
    trained: dict[str, Any],
) -> None:
    """Write the model folder; the weights first, so that a folder with `config.json` is whole."""
    from safetensors.torch import save

    packed = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    with atomic_path(folder / "model.safetensors") as temporary:
        temporary.write_bytes(packed)
    content = {
        "format": FORMAT,
        "input": input_config.model_dump(mode="json"),
        "model": model_config.model_dump(mode="json"),
        "normalisation": {name: values for name, values in asdict(normalisation).items() if values},
        "trained": trained,
    }
    write_json(folder / "config.json", content)


def load_model(folder: Path, device: str | torch.device = "cpu") -> TrainedModel:
    """Load a model folder; its network in torch will be on ``device``, which may be `auto`.

    Raises `UserError` where the folder is missing, of another format or damaged; where the weights do not
    fit the configuration, that shows when the network is first asked for.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    content = read_json(folder / "config.json", "model (a folder with config.json and model.safetensors)")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{folder}: not a model of this version of wavecast (format {FORMAT})")
    try:
        input_config: InputConfig = TypeAdapter(InputConfig).validate_json(json.dumps(content["input"]))
        model_config = ModelConfig.model_validate_json(json.dumps(content["model"]))
        normalisation = _normalisation(content["normalisation"], input_config)
        weights = load_file(folder / "model.safetensors")
    except FileNotFoundError:
        raise UserError(f"{folder}: model.safetensors is missing") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as problem:
        raise _damaged(folder, problem) from None

    def build() -> Network:
        return _network(folder, input_config, model_config, normalisation, weights, device)

    trained = content.get("trained", {})
    return TrainedModel(input_config, model_config, normalisation, trained, build, lambda: weights)


def _network(
    folder: Path,
    input_config: InputConfig,
    model_config: ModelConfig,
    normalisation: Normalisation,
    weights: Weights,
    device: str | torch.device,
) -> Network:
    import torch

    from pipeline.devices import choose_device
    from pipeline.networks import build_network

    network = build_network(input_config, model_config, normalisation)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except (RuntimeError, TypeError, ValueError) as problem:
        raise _damaged(folder, problem) from None
    return network.to(choose_device(str(device))).eval()


def _require_parts(weights: Weights, model: ModelConfig) -> None:
    """Raise `ValueError` where the recurrent layers are others than the configuration says."""
    layers = len({name.split(".")[2] for name in weights if name.startswith("recurrent.layers.")})
    units = next(array.shape[-1] for name, array in weights.items() if "weight_hh" in name)
    found = layers, "recurrent.norms.0.weight" in weights, "recurrent.start" in weights
    if found != (model.num_layers, model.layer_norm, model.learned_initial_state) or (
        model.parameter_budget is None and units != model.hidden_size
    ):
        raise ValueError("other recurrent layers")


def _damaged(folder: Path, problem: Exception) -> UserError:
    reason = " ".join(str(problem).split())[:200]
    return UserError(f"{folder}: damaged model ({reason})")


def _normalisation(moments: dict[str, list[float]], config: InputConfig) -> Normalisation:
    if not isinstance(moments, dict):
        raise ValueError("the normalisation must be an object")
    found = Normalisation(**{name: tuple(values) for name, values in moments.items()})
    if any(len(values) != row_width(config) for values in moments.values()):
        raise ValueError("the normalisation is of another width than the input")
    if not all(map(math.isfinite, found.mean)) or not all(0 < each < math.inf for each in found.std):
        raise ValueError("the normalisation must be finite, its standard deviations positive")
    return found
