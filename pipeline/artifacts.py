"""A trained model is one folder, `config.json` and `model.safetensors`, with all that using it needs.

Loading runs no code from the folder: the configuration is validated JSON, the weights are safetensors.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from pipeline.config_input import AudioConfig, InputConfig, PianoRollConfig, WaveformConfig
from pipeline.config_model import ModelConfig
from pipeline.errors import UserError
from pipeline.features import Normalisation, Normaliser, framing, row_rate_hz, row_width
from pipeline.files import atomic_path, read_json, write_json
from pipeline.framing import Framing
from pipeline.loudness import LevelGuard
from pipeline.networks import Network, build_network

FORMAT = "wavecast-model-2"


@dataclass(frozen=True)
class TrainedModel:
    """A network and what it needs to meet recordings.

    Attributes:
        network: in evaluation mode, on its device.
        input: the kind of input and its settings, the sample rate among them.
        model: the network's settings.
        normalisation: of the split it was trained on.
        trained: facts on the training: data set, steps, validation figure.
    """

    network: Network
    input: InputConfig
    model: ModelConfig
    normalisation: Normalisation
    trained: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
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
        """A fresh guard that keeps generated samples as loud as the training split was at most."""
        if not isinstance(self.input, WaveformConfig) or "loudest_level" not in self.trained:
            return None
        return LevelGuard.of(self.trained["loudest_level"], self.framing.hop, self.input.sample_rate)

    def normaliser(self) -> Normaliser:
        """Between stored rows and the values that the network sees."""
        return Normaliser(self.input, self.normalisation, self.device)


def save_model(
    folder: Path,
    weights: dict[str, torch.Tensor],
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


def load_model(folder: Path, device: torch.device | str = "cpu") -> TrainedModel:
    """Load a model folder, in evaluation mode.

    Raises `UserError` where the folder is missing, of another format, damaged, or does not fit its
    configuration.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    content = read_json(folder / "config.json", "model (a folder with config.json and model.safetensors)")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{folder}: not a model of this version of wavecast (format {FORMAT})")
    try:
        input_config: InputConfig = TypeAdapter(InputConfig).validate_json(json.dumps(content["input"]))
        model_config = ModelConfig.model_validate_json(json.dumps(content["model"]))
        normalisation = _normalisation(content["normalisation"], input_config)
        network = build_network(input_config, model_config, normalisation)
        network.load_state_dict(load_file(folder / "model.safetensors", device=str(device)))
    except FileNotFoundError:
        raise UserError(f"{folder}: model.safetensors is missing") from None
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise UserError(f"{folder}: damaged model ({reason})") from None
    return TrainedModel(
        network.to(device).eval(), input_config, model_config, normalisation, content.get("trained", {})
    )


def _normalisation(moments: dict[str, list[float]], config: InputConfig) -> Normalisation:
    if not isinstance(moments, dict):
        raise ValueError("the normalisation must be an object")
    found = Normalisation(**{name: tuple(values) for name, values in moments.items()})
    if any(len(values) != row_width(config) for values in moments.values()):
        raise ValueError("the normalisation is of another width than the input")
    if not all(map(math.isfinite, found.mean)) or not all(0 < each < math.inf for each in found.std):
        raise ValueError("the normalisation must be finite, its standard deviations positive")
    return found
