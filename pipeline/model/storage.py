"""A trained model is one folder, `config.json` and `model.safetensors`, with all that using it needs.

Loading runs no code from the folder: the configuration is validated JSON, the weights are safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.files import atomic_path, write_json
from pipeline.common.hashing import checksum
from pipeline.config.inputs import InputConfig
from pipeline.config.model import ModelConfig
from pipeline.features.normalisation import Normalisation
from pipeline.model.model_file import (
    FORMAT,
    SETTINGS,
    WEIGHTS,
    damaged,
    read_model_file,
    read_weights,
    settings_of,
)
from pipeline.model.trained_model import TrainedModel, Weights

if TYPE_CHECKING:
    import torch

    from pipeline.model.build import Network


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
    with atomic_path(folder / WEIGHTS) as temporary:
        temporary.write_bytes(packed)
    content = {
        "format": FORMAT,
        "input": input_config.model_dump(mode="json"),
        "model": model_config.model_dump(mode="json"),
        "normalisation": {name: values for name, values in asdict(normalisation).items() if values},
        "trained": trained,
        "weights": checksum(packed),
    }
    write_json(folder / SETTINGS, content)


def load_model(folder: Path, device: str | torch.device = "cpu") -> TrainedModel:
    """Return the trained model in a folder.

    Weights that do not fit the configuration are an error when the network is first used.

    Args:
        folder: holds `config.json` and `model.safetensors`.
        device: where the network in torch will be; `auto` prefers a GPU.

    Raises:
        UserError: the folder is missing, of another format or damaged.
    """
    content = read_model_file(folder)
    input_config, model_config, normalisation, trained = settings_of(folder, content)
    weights = read_weights(folder, content)

    def build() -> Network:
        return _network(folder, input_config, model_config, normalisation, weights, device)

    return TrainedModel(input_config, model_config, normalisation, trained, build, lambda: weights, folder)


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

    try:
        # First without memory: settings that ask for more than the weights have are rejected here.
        with torch.device("meta"):
            planned = build_network(input_config, model_config, normalisation).state_dict()
        _check_shapes({name: tuple(x.shape) for name, x in planned.items()}, weights)
        network = build_network(input_config, model_config, normalisation)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as problem:
        raise damaged(folder, problem) from None
    return network.to(choose_device(str(device))).eval()


def _check_shapes(planned: Mapping[str, tuple[int, ...]], weights: Weights) -> None:
    """Raise `ValueError` where the weights are not those of the network that the settings describe."""
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(planned.keys() | found.keys()):
        if planned.get(name) != found.get(name):
            shapes = f"{found.get(name, 'missing')} instead of {planned.get(name, 'none')}"
            raise ValueError(f"its weights do not fit its settings: {name} is {shapes}")
