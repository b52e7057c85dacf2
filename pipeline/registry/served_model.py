"""The trained model as MLflow serves it: `mlflow models serve` and `load_model` run this file.

Code from the store is run by MLflow's own model server only. The command line of wavecast fetches the weights
and the configuration alone.
"""

import importlib.metadata
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

from pipeline.generation.options import DEFAULT_SECONDS, DEFAULT_TEMPERATURE
from pipeline.tracking.store import MODEL_IN_ARTIFACTS

if TYPE_CHECKING:
    from pipeline.generation.options import SamplingOptions

SERVED_WITH = (
    "filelock",
    "mlflow",
    "numba",
    "numpy",
    "pydantic",
    "rich",
    "safetensors",
    "torch",
    "torchaudio",
    "xxhash",
)
"""What the served model's code imports; the index has no wavecast, so its own code travels along."""


class Continuation(PythonModel):  # type: ignore[misc]
    """Continues recordings, spectrograms or notes, side by side."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model folder among the artifacts."""
        from pipeline.model.storage import load_model

        self.model = load_model(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Continue each row of a batch.

        Args:
            context: unused.
            model_input: for a waveform model (B, N) float32, samples in [-1, 1] at the model's sample rate;
                for a spectrogram model (B, T, D) float32, frames of natural-log magnitudes; for a model of
                notes (B, T, 88) float32, 0 or 1.
            params: ``seconds`` to add, ``temperature`` (0 takes the most likely), ``seed``; row b draws with
                seed + b.

        Returns:
            What follows, float32: (B, M) samples, or (B, M, D) frames or notes.

        Raises:
            MlflowException: the request is out of the limits of `pipeline.generation.requests`.
        """
        from pipeline.errors import UserError
        from pipeline.generation.requests import check_request

        settings = {
            "seconds": DEFAULT_SECONDS,
            "temperature": DEFAULT_TEMPERATURE,
            "seed": 0,
            **(params or {}),
        }
        try:
            check_request(self.model, model_input, settings)
            follow = self._frames if model_input.ndim == 3 else self._samples
            return np.stack([follow(row, settings, index) for index, row in enumerate(model_input)])
        except UserError as problem:  # the server answers with status 400
            raise MlflowException(str(problem), INVALID_PARAMETER_VALUE) from None

    def _samples(self, row: np.ndarray, settings: dict[str, Any], index: int) -> np.ndarray:
        from pipeline.audio.pcm import to_float, to_int16
        from pipeline.generation.generate import continue_samples

        sampling = _sampling(settings, index)
        added = continue_samples(self.model, to_int16(row), settings["seconds"], sampling).added[0]
        return to_float(added)

    def _frames(self, row: np.ndarray, settings: dict[str, Any], index: int) -> np.ndarray:
        from pipeline.generation.engine import free_run

        count = round(settings["seconds"] * self.model.row_rate_hz)
        rows = free_run(self.model, row, _sampling(settings, index)).take(count)
        return np.asarray(rows[0], np.float32)


def _sampling(settings: dict[str, Any], index: int) -> "SamplingOptions":
    from pipeline.generation.options import SamplingOptions

    return SamplingOptions(seed=settings["seed"] + index, temperature=settings["temperature"])


def save_served_model(model: Path, target: Path) -> None:
    """Write an MLflow model: the model folder, the code that serves it, and the list of packages it needs.

    Args:
        model: the model folder.
        target: the folder to be written.
    """
    here = Path(__file__).resolve()
    checkout = here.parents[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on input examples, which the signature makes needless
        mlflow.pyfunc.save_model(
            target,
            python_model=str(here),
            artifacts={PurePosixPath(MODEL_IN_ARTIFACTS).name: model.absolute().as_uri()},
            code_paths=[str(checkout / "pipeline"), str(checkout / "models")],
            signature=_signature(model),
            pip_requirements=[f"{p}=={_public(importlib.metadata.version(p))}" for p in SERVED_WITH],
        )


def _public(version: str) -> str:
    """A version without the part that only one build has, such as `+cpu`."""
    return version.partition("+")[0]


def _signature(model: Path) -> ModelSignature:
    """Return the signature: samples (B, N) or rows (B, T, D) of another kind, and as many axes after them."""
    from pipeline.features.representations import representation_of
    from pipeline.model.model_file import read_model_file, settings_of

    config = settings_of(model, read_model_file(model))[0]
    representation = representation_of(config)
    shape = (-1, -1) if representation.rows_are_samples else (-1, -1, representation.row_width)
    tensor = TensorSpec(np.dtype("float32"), shape)
    seconds = ParamSpec("seconds", "double", DEFAULT_SECONDS)
    temperature = ParamSpec("temperature", "double", DEFAULT_TEMPERATURE)
    parameters = ParamSchema([seconds, temperature, ParamSpec("seed", "long", 0)])
    return ModelSignature(Schema([tensor]), Schema([tensor]), parameters)


set_model(Continuation())
