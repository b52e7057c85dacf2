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
from mlflow.models import Model, ModelSignature, set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ParamSchema, ParamSpec

from pipeline.errors import UserError
from pipeline.serving.options import DEFAULTS
from pipeline.tracking.store import MODEL_IN_ARTIFACTS

if TYPE_CHECKING:
    from pipeline.features.representation import Representation

SERVED_WITH = (
    "filelock",
    "mlflow",
    "numba",
    "numpy",
    "pydantic",
    "rich",
    "safetensors",
    "soundfile",
    "soxr",
    "torch",
    "torchaudio",
    "xxhash",
)
"""What the served model's code imports; the index has no wavecast, so its own code travels along."""
EXAMPLE_ROWS = 64
PARAMETER_TYPES = {float: "double", int: "long", str: "string"}


class Continuation(PythonModel):  # type: ignore[misc]
    """Continues recordings, spectrograms or notes, side by side."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model folder among the artifacts, and compile what requests need.

        A server accepts connections after this, so that it is ready when it answers.
        """
        from pipeline.common.writable_caches import keep_compiled_code

        keep_compiled_code()
        from pipeline.model.storage import load_model
        from pipeline.serving.server import ContinuationServer

        self.server = ContinuationServer(load_model(Path(context.artifacts["model"])))
        self.server.warm_up()

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Continue each recording of a request.

        Args:
            context: unused.
            model_input: for a waveform model (B, N), samples in [-1, 1] at the model's sample rate; for a
                spectrogram model (B, T, D), frames of natural-log magnitudes; for a model of notes
                (B, T, 88), 0 or 1. For models of sound also a list of WAV or FLAC files in base64, at any
                rate.
            params: ``seconds`` to add, ``temperature`` (0 takes the most likely), ``noise_scale``, ``seed``
                (row b draws with seed + b), and ``output``: "array", "wav" or "flac".

        Returns:
            A dictionary for each recording, see `pipeline.serving.answers`.

        Raises:
            MlflowException: the request is invalid or beyond a limit, which a server answers with status 400.
        """
        try:
            return self.server.answer(model_input, params)
        except UserError as problem:
            raise MlflowException(str(problem), INVALID_PARAMETER_VALUE) from None


def save_served_model(
    model: Path, target: Path, run_id: str | None = None, model_id: str | None = None
) -> None:
    """Write an MLflow model: the model folder, the code that serves it, and the list of packages it needs.

    Args:
        model: the model folder.
        target: the folder to be written.
        run_id: MLflow's id of the run that trained it.
        model_id: MLflow's id of the logged model.
    """
    kind, representation = _input_of(model)
    here = Path(__file__).resolve()
    checkout = here.parents[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on a signature without a schema of the input
        mlflow.pyfunc.save_model(
            target,
            python_model=str(here),
            artifacts={PurePosixPath(MODEL_IN_ARTIFACTS).name: model.absolute().as_uri()},
            code_paths=[str(checkout / "pipeline"), str(checkout / "models")],
            mlflow_model=Model(run_id=run_id, model_uuid=model_id, model_id=model_id),
            signature=_signature(),
            input_example=_example(representation),
            metadata=_description(kind, representation),
            pip_requirements=[f"{p}=={_public(importlib.metadata.version(p))}" for p in SERVED_WITH],
        )
    _remove_origin(target)


def _remove_origin(target: Path) -> None:
    """Replace the addresses that artifacts were copied from, which name folders of this machine."""
    written = Model.load(str(target))
    for artifact in written.flavors["python_function"]["artifacts"].values():
        artifact["uri"] = artifact["path"]
    written.save(str(target / "MLmodel"))


def _public(version: str) -> str:
    """A version without the part that only one build has, such as `+cpu`."""
    return version.partition("+")[0]


def _signature() -> ModelSignature:
    """Return the signature: the parameters with their defaults.

    MLflow's schemas cannot state that an input is an array or a list of files, so that the model checks it.
    """
    specs = [ParamSpec(name, PARAMETER_TYPES[type(value)], value) for name, value in DEFAULTS.items()]
    return ModelSignature(params=ParamSchema(specs))


def _input_of(model: Path) -> tuple[str, "Representation"]:
    """Return the kind of a model folder's input, and what its rows are."""
    from pipeline.features.representations import representation_of
    from pipeline.model.model_file import read_model_file, settings_of

    config = settings_of(model, read_model_file(model))[0]
    return config.kind, representation_of(config)


def _example(representation: "Representation") -> np.ndarray:
    """Return a short valid request: a quiet tone for models of samples, else zero rows."""
    if representation.rows_are_samples:
        return 0.1 * np.sin(np.arange(EXAMPLE_ROWS, dtype=np.float32)[None] / 5)
    return np.zeros((1, EXAMPLE_ROWS, representation.row_width), np.float32)


def _description(kind: str, representation: "Representation") -> dict[str, Any]:
    """Return what a client has to know of the model, for the metadata of the MLflow model."""
    sound = representation.sound
    rate = {"sample_rate": sound.sample_rate} if sound else {}
    return {"input": _input_text(representation), "kind": kind, **rate}


def _input_text(representation: "Representation") -> str:
    if representation.rows_are_samples:
        arrays = "samples (B, N) in [-1, 1] at the sample rate"
    else:
        arrays = f"rows (B, T, {representation.row_width})"
    return f"{arrays}, or a list of WAV or FLAC files in base64" if representation.sound else arrays


set_model(Continuation())
