"""A trained model is one folder, `config.json` and `model.safetensors`, with all that using it needs.

Loading runs no code from the folder: the configuration is validated JSON, the weights are safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from pipeline.common.files import atomic_path, read_json, write_json
from pipeline.config.inputs import InputConfig
from pipeline.config.model import ModelConfig
from pipeline.errors import UserError
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of
from pipeline.model.trained_model import TrainedModel, Weights

if TYPE_CHECKING:
    import torch

    from pipeline.model.build import Network

FORMAT = "wavecast-model-2"


def save_model(
    folder: Path,
    weights: Mapping[str, torch.Tensor],
    input_config: InputConfig,
    model_config: ModelConfig,
    normalisation: Normalisation,
    trained: dict[str, Any],
) -> None:
    """Write the model folder; the weights first, so that a folder with `config.json` is complete.

    Args:
        folder: an existing folder.
        weights: tensors by name.
        input_config: section `input` of the training.
        model_config: section `model` of the training.
        normalisation: moments of the training split.
        trained: facts of the training, as plain values.
    """
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
    """Return the trained model in a folder.

    Weights that do not fit the configuration are an error when the network is first used.

    Args:
        folder: holds `config.json` and `model.safetensors`.
        device: where the network in torch will be; `auto` prefers a GPU.

    Raises:
        UserError: the folder is missing, of another format or damaged.
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

    from pipeline.common.devices import choose_device
    from pipeline.model.build import build_network

    network = build_network(input_config, model_config, normalisation)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except (RuntimeError, TypeError, ValueError) as problem:
        raise _damaged(folder, problem) from None
    return network.to(choose_device(str(device))).eval()


def _damaged(folder: Path, problem: Exception) -> UserError:
    reason = " ".join(str(problem).split())[:200]
    return UserError(f"{folder}: damaged model ({reason})")


def _normalisation(moments: dict[str, list[float]], config: InputConfig) -> Normalisation:
    if not isinstance(moments, dict):
        raise ValueError("the normalisation must be an object")
    found = Normalisation(**{name: tuple(values) for name, values in moments.items()})
    width = representation_of(config).row_width
    if any(len(values) != width for values in moments.values()):
        raise ValueError("the normalisation is of another width than the input")
    if not all(map(math.isfinite, found.mean)) or not all(0 < each < math.inf for each in found.std):
        raise ValueError("the normalisation must be finite, its standard deviations positive")
    return found
