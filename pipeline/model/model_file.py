"""The two files of a model folder, read once, within bounds, and verified before anything is built from them.

`config.json` carries its own checksum and, under `weights`, that of `model.safetensors`. So settings and
weights of different models are recognised. Folders of earlier releases have neither and are read as well.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipeline.common.files import check_shape, read_json, read_regular
from pipeline.common.hashing import checksum
from pipeline.config.inputs import InputConfig
from pipeline.config.model import ModelConfig
from pipeline.errors import UserError
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of

FORMAT = "wavecast-model-2"
SETTINGS, WEIGHTS = "config.json", "model.safetensors"
MOST_SETTINGS_BYTES = 1 << 24
MOST_WEIGHTS_BYTES = 1 << 34
LARGEST = 1e6
"""Largest magnitude of a moment, level or scale. Samples reach 1, logarithms of magnitudes about 20."""
SMALLEST_SPREAD = 1e-9
AGAIN = "train it again, or fetch another copy"


class ModelFile(TypedDict):
    """The content of `config.json`."""

    format: str
    input: dict[str, Any]
    model: dict[str, Any]
    normalisation: dict[str, list[float]]
    trained: NotRequired[dict[str, Any]]
    weights: NotRequired[str]


def read_model_file(folder: Path) -> dict[str, Any]:
    """Return the content of a model folder's `config.json`.

    Raises:
        UserError: it is missing, damaged, or of another format.
    """
    what = "model (a folder with config.json and model.safetensors)"
    content = read_json(folder / SETTINGS, what, Any, AGAIN, MOST_SETTINGS_BYTES)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{folder}: not a model of this version of wavecast (format {FORMAT})")
    try:
        check_shape(content, ModelFile)
    except ValueError as problem:
        raise damaged(folder, problem) from None
    return content


def read_weight_bytes(folder: Path, content: Mapping[str, Any]) -> bytes:
    """Return the bytes of `model.safetensors`, verified against the settings.

    Raises:
        UserError: the file is missing, or it is not the one that the settings were written with.
    """
    path = folder / WEIGHTS
    if not path.exists():
        raise UserError(f"{folder}: {WEIGHTS} is missing")
    data = read_regular(path, "file of weights", MOST_WEIGHTS_BYTES)
    if content.get("weights", stated := checksum(data)) != stated:
        raise damaged(folder, f"its weights are not those that {SETTINGS} was written with; {AGAIN}")
    return data


def read_weights(folder: Path, content: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return the weights by name, all finite and of type float32; see `read_weight_bytes`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        # Copied, since arrays that lie in the bytes are read-only and perhaps not aligned.
        weights = {name: np.array(array) for name, array in load(read_weight_bytes(folder, content)).items()}
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as problem:
        raise damaged(folder, problem) from None
    for name, array in weights.items():
        if array.dtype != np.float32:
            raise damaged(folder, f"{name} is of type {array.dtype}, not float32")
        if not np.isfinite(array).all():
            raise damaged(folder, f"{name} is not finite")
    return weights


def settings_of(
    folder: Path, content: Mapping[str, Any]
) -> tuple[InputConfig, ModelConfig, Normalisation, dict[str, Any]]:
    """Return input, network, normalisation and facts on the training, validated.

    Raises:
        UserError: a setting is missing, of another type, or has no meaning.
    """
    try:
        input_config: InputConfig = TypeAdapter(InputConfig).validate_json(json.dumps(content["input"]))
        model_config = ModelConfig.model_validate_json(json.dumps(content["model"]))
        normalisation = _normalisation(content["normalisation"], input_config)
        trained = content.get("trained", {})
        _check_number("model.scale_floor", model_config.scale_floor, smallest=SMALLEST_SPREAD)
        if "loudest_level" in trained:
            _check_number("trained.loudest_level", trained["loudest_level"], smallest=0.0)
    except (ValidationError, TypeError, ValueError, RecursionError) as problem:
        raise damaged(folder, problem) from None
    return input_config, model_config, normalisation, trained


def damaged(folder: Path, problem: object) -> UserError:
    """Return the `UserError` of one line for a model folder that cannot be used."""
    if isinstance(problem, ValidationError):
        first = problem.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = f"{key}: {first['msg']}" if key else first["msg"]
    reason = " ".join(str(problem).split())[:200]
    return UserError(f"{folder}: damaged model ({reason})")


def _check_number(name: str, value: object, smallest: float = -LARGEST) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not smallest <= value <= LARGEST:
        raise ValueError(f"{name} must be a number from {smallest:g} to {LARGEST:g}")


def _normalisation(moments: dict[str, list[float]], config: InputConfig) -> Normalisation:
    found = Normalisation(**{name: tuple(values) for name, values in moments.items()})
    width = representation_of(config).row_width
    if any(len(values) != width for values in moments.values()):
        raise ValueError("the normalisation is of another width than the input")
    if not all(map(math.isfinite, found.mean)) or not all(0 < each < math.inf for each in found.std):
        raise ValueError("the normalisation must be finite, its standard deviations positive")
    for name, values in moments.items():
        for value in values:
            _check_number(f"normalisation.{name}", value, SMALLEST_SPREAD if name == "std" else -LARGEST)
    if any(low > high for low, high in zip(found.low, found.high, strict=False)):
        raise ValueError("the range of the normalisation is empty")
    return found
