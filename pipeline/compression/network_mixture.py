"""The network's part in the coding of samples: its mixture for the next step, step after step.

Encoder and decoder run the model in the same way, one step at a time: the decoder has only the samples
decoded so far, and both must compute exactly the same numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.adaptive.cells import Cells, integer_cells
from models.distributions.constants import MAX_RAW_SCALE
from models.head_kinds import head_kind
from pipeline.compression import bit_probabilities as bits
from pipeline.errors import UserError
from pipeline.model.trained_model import TrainedModel

Projection = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""One step of a network that keeps its state: from inputs (D_in,) to the head's projection (P,)."""

MODEL_BITS = 16
"""Number of a sample's highest bits that the model codes, as in training; lower bits are noise."""

KINDS = {"diagonal": bits.DIAGONAL, "full": bits.FULL, "autoregressive": bits.AUTOREGRESSIVE}


@dataclass(frozen=True)
class Alphabet:
    """The values that a sample may take, after normalisation.

    Attributes:
        values: (M,) float32, each value normalised, the lowest first.
        bounds: (M + 1,) float64, bounds of the intervals of the values; the outer ones are infinite.
    """

    values: NDArray[np.float32]
    bounds: NDArray[np.float64]

    @classmethod
    def of(cls, model: TrainedModel, depth: int) -> "Alphabet":
        """Return the alphabet of the highest bits of samples, scaled as 16-bit samples.

        Args:
            model: model of waveforms.
            depth: bits of a sample.
        """
        levels = min(depth, MODEL_BITS)
        return cls.of_cells(model, integer_cells(levels), 2.0 ** (MODEL_BITS - levels))

    @classmethod
    def of_cells(cls, model: TrainedModel, cells: Cells, step: float) -> "Alphabet":
        """Return the alphabet of any values.

        Args:
            model: model of waveforms.
            cells: the values and their intervals.
            step: 16-bit quantisation steps in a unit of the cells.
        """
        mean, std = np.float32(model.normalisation.mean[0]), np.float32(model.normalisation.std[0])
        values = model.representation.normalise(cells.values[:, None] * step, model.normalisation)[:, 0]
        bounds = (cells.bounds * step * model.representation.unit - np.float64(mean)) / np.float64(std)
        return cls(values, bounds)

    @property
    def levels(self) -> int:
        """L, number of decisions that find one integer."""
        return len(self.values).bit_length() - 1


class NetworkMixture:
    """The mixture of the next step's samples, given all before it.

    Args:
        model: model of waveforms.

    Attributes:
        hop: samples of a step.
        kind: covariance, one of `KINDS`.
        mixture: the mixture that `read` computed last.
    """

    def __init__(self, model: TrainedModel) -> None:
        self.hop = model.framing.hop
        self.kind = KINDS[model.model.covariance]
        self._floor = model.model.scale_floor * model.quantisation_step
        self._project = projection_of(model)
        self._order = model.model.autoregressive_order if self.kind == bits.AUTOREGRESSIVE else 0
        weights = model.weights() if self._order else {}
        self._start = np.asarray(weights.get("head.start", np.zeros(0)), np.float64)
        self._basis = np.asarray(weights.get("head.basis", np.zeros((0, 0))), np.float64)
        self._seen = np.zeros(model.framing.window, np.float32)
        components = model.model.mixture_components
        size = (components, self.hop)
        table = np.zeros((bits.ROWS, components))
        self.mixture = (table, np.zeros(size), np.zeros(size), np.zeros((*size, self.hop)))

    def read(self) -> None:
        """Compute the mixture of the next step's samples."""
        history = self._seen[len(self._seen) - self._order :].astype(np.float64)
        predictor = (self._start, self._basis, history)
        raw = self._project(self._seen)
        bits.read_mixture(raw, self.kind, self._floor, MAX_RAW_SCALE, predictor, self.mixture)

    def append(self, values: NDArray[np.float32]) -> None:
        """Add the normalised samples (n,) of the step."""
        self._seen = np.concatenate([self._seen, values])[-len(self._seen) :]


def check_codes(model: TrainedModel) -> None:
    """Raise `UserError` for a model that assigns no probabilities to samples."""
    if not model.representation.quantised:
        raise UserError("this model predicts no samples but spectrograms or notes: name one of samples")
    kind = head_kind(model.model.head, model.model.covariance).name
    if kind not in KINDS and not model.framing.adaptive:
        raise UserError(f"the head {kind} has no exact probabilities that compress needs: name another model")


@contextmanager
def exact_arithmetic(model: TrainedModel) -> Iterator[None]:
    """Make computations with torch reproducible, on one thread, where the model is not compiled."""
    if model.compiled is not None:
        yield
        return
    import torch

    from pipeline.common.devices import one_thread

    with one_thread(), torch.inference_mode():
        yield


def projection_of(model: TrainedModel) -> Projection:
    """Return the model's projection at the start of a recording, compiled where possible, else in torch."""
    compiled = model.compiled
    if compiled is None:
        return _in_torch(model)
    state = compiled.initial_state(1)

    def project(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        raw, state = compiled.step(seen[None], state)
        first: NDArray[np.float32] = raw[0]
        return first

    return project


def _in_torch(model: TrainedModel) -> Projection:
    import torch

    network = model.network
    state, projected = network.initial_state(1), list[torch.Tensor]()
    projection = network.get_submodule("head.projection")

    def project_hidden(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        hidden, _, state = network.hidden_vectors(torch.from_numpy(seen[None, None]), state)
        raw: NDArray[np.float32] = projection(hidden)[0, 0].numpy()
        return raw

    if model.framing.adaptive:
        return project_hidden

    def project(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        # The step's distribution holds values after torch's exp, which is not portable.
        with projection.register_forward_hook(lambda _, __, output: projected.append(output)):
            _, state = network.step(torch.from_numpy(seen[None]), state)
        raw: NDArray[np.float32] = projected.pop()[0].numpy()
        return raw

    return project
