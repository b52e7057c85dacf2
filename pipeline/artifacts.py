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

from models.predictor import Predictor
from pipeline.config import InputConfig, ModelConfig
from pipeline.errors import UserError
from pipeline.features import Normalisation, Normaliser, framing, quantisation_step, row_width
from pipeline.files import atomic_path, read_json, write_json
from pipeline.framing import Framing

FORMAT = "wavecast-model-1"


@dataclass(frozen=True)
class TrainedModel:
    """A predictor and what it needs to meet recordings.

    Attributes:
        predictor: the network, in evaluation mode, on its device.
        input: the kind of input and its settings, the sample rate among them.
        model: the network's settings.
        normalisation: of the split it was trained on.
        trained: facts on the training: data set, steps, validation figure.
    """

    predictor: Predictor
    input: InputConfig
    model: ModelConfig
    normalisation: Normalisation
    trained: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.predictor.parameters()).device

    @property
    def framing(self) -> Framing:
        """How rows become the model's steps."""
        return framing(self.input)

    def normaliser(self) -> Normaliser:
        """Between stored rows and the values that the network sees."""
        return Normaliser(self.input, self.normalisation, self.device)


def build_predictor(
    input_config: InputConfig, model_config: ModelConfig, normalisation: Normalisation
) -> Predictor:
    """The network that a configuration describes, with fresh weights."""
    frames = framing(input_config)
    floor = model_config.scale_floor * quantisation_step(input_config, normalisation)
    return Predictor(
        frames.input_size,
        frames.target_size,
        model_config.cell,
        model_config.hidden_size,
        model_config.num_layers,
        model_config.dropout,
        model_config.mixture_components,
        floor,
    )


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
        predictor = build_predictor(input_config, model_config, normalisation)
        predictor.load_state_dict(load_file(folder / "model.safetensors", device=str(device)))
    except FileNotFoundError:
        raise UserError(f"{folder}: model.safetensors is missing") from None
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise UserError(f"{folder}: damaged model ({reason})") from None
    return TrainedModel(
        predictor.to(device).eval(), input_config, model_config, normalisation, content.get("trained", {})
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
