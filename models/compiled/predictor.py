"""A recurrent predictor without torch: the same numbers as `models.predictor.Predictor`, compiled for CPUs.

In free running, each step waits for the one before, and torch spends most of it between its
operations. Here a step is one loop, bound by how fast the weights come out of the cache. The outputs
have the same bits on every machine, in any batch, step by step or over a sequence, so that a decoder can
follow an encoder: no library of the system takes part.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.compiled.generation import generate_samples
from models.compiled.sequence import project, run_sequence, run_step
from models.compiled.shapes import checked
from models.compiled.weights import (
    Array,
    Weights,
    aligned,
    head_of,
    layers_of,
    padded,
    panels,
)
from models.head_kinds import HEADS, head_kind
from models.recurrent.cells import find_cell

State = tuple[Array, ...]
"""Of all layers, (layers, B, H): hidden vectors, and for LSTMs the cells."""
Mode = Literal["sample", "mean", "likely"]


class Generated(NamedTuple):
    """The results of `CompiledPredictor.generate` for B sequences.

    Attributes:
        samples: (B, steps * D) int16.
        state: after the last step.
        window: (B, W), normalised values up to the last one.
        limiter_power: (B,), running mean square.
        gain_reduced: (B, steps), whether the limiter reduced the block's gain.
        scale_clipped: (B, steps), whether a scale of the chosen component was clipped to ``max_scale``.
    """

    samples: NDArray[np.int16]
    state: State
    window: Array
    limiter_power: NDArray[np.float64]
    gain_reduced: NDArray[np.bool_]
    scale_clipped: NDArray[np.bool_]


def unsupported(cell: str, head: str, covariance: str, architecture: str, convolutions: int) -> str | None:
    """Return why a model of these settings has no compiled form, or None if it has one.

    Args:
        cell: name of the cell, as in `model.cell`.
        head: name of the head, as in `model.head`.
        covariance: covariance of a Gaussian mixture, as in `model.covariance`.
        architecture: `predictor` or `encoder_decoder`.
        convolutions: number of convolutions before the recurrent layers.
    """
    if architecture != "predictor":
        return f"the {architecture} has no compiled form"
    if convolutions:
        return "convolutions have no compiled form"
    if find_cell(cell).compiled is None:
        return f"the cell {find_cell(cell).name} has no compiled form"
    if not HEADS[head].compiled:
        return f"the head {head} has no compiled form"
    compiled = head_kind(head, covariance).compiled
    return None if compiled else f"the {covariance} covariance has no compiled form"


class CompiledPredictor:
    """p(outputs of a step | all steps so far), of arrays; the weights are copied.

    Args:
        weights: float32 arrays by their names in the network's ``state_dict``.
        cell: one of `models.recurrent.cells.CELLS`.
        seen: how many of a step's inputs, counted from the newest, the network reads.
        target_size: D, outputs of a step.
        components: K of the mixture.
        covariance: "diagonal", "full" or "autoregressive"; None for a head of another kind, with which
            nothing is generated.
        scale_floor: smallest standard deviation.
        companding_step: quantisation step, where the inputs are read companded, too.
        residual: whether layers add what they read, from the second on.

    Raises:
        ValueError, KeyError: weights are missing, not expected, or of other shapes.
    """

    def __init__(
        self,
        weights: Weights,
        cell: str,
        *,
        seen: int,
        target_size: int,
        components: int,
        covariance: str | None,
        scale_floor: float,
        companding_step: float | None,
        residual: bool,
    ) -> None:
        self.seen, self.target_size = seen, target_size
        self._companding_step = np.float32(companding_step or 0.0)
        features = seen if companding_step is None else 2 * seen
        weights = checked(weights, cell, features, covariance, target_size, components)
        self._layers = layers_of(weights, cell, residual)
        self._head = None
        if covariance is not None:
            self._head = head_of(weights, covariance, target_size, components, scale_floor)
        self._projection = panels(weights["head.projection.weight"])
        self._bias = aligned(padded(weights["head.projection.bias"]))
        self.parameter_count = len(weights["head.projection.bias"])
        depth, size = self._layers[5].shape[0], self._layers[5].shape[2]
        zeros = np.zeros((len(find_cell(cell).state_names), depth, 1, size), np.float32)
        self._start = weights.get("recurrent.start", zeros)
        # A head may look further back than the network.
        self._window = max(seen, len(weights.get("head.start", ())))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        return tuple(np.repeat(part, batch_size, 1) for part in self._start)

    def hidden(self, inputs: Array, state: State) -> tuple[Array, State]:
        """Run the recurrent layers over a sequence.

        Args:
            inputs: normalised inputs (B, T, D_in).
            state: the state before, arrays (L, B, H); it is not changed.

        Returns:
            The head's inputs (B, T, H), and the state after.

        Raises:
            ValueError: a shape does not match the model's.
        """
        inputs = np.ascontiguousarray(inputs, np.float32)
        h, c = self._copied(state, len(inputs))
        self._check("inputs", inputs.shape[2] >= self.seen, inputs)
        hidden = np.empty((*inputs.shape[:2], h.shape[2]), np.float32)
        run_sequence(self._layers, self.seen, self._companding_step, inputs, h, c, hidden)
        return hidden, (h, c)[: len(state)]

    def parameters(self, hidden: Array) -> Array:
        """Project hidden vectors (..., H) to the head's parameters (..., P)."""
        self._check("hidden vectors", hidden.shape[-1] == self._projection.shape[1], hidden)
        rows = np.ascontiguousarray(hidden.reshape(-1, hidden.shape[-1]), np.float32)
        out = np.empty((len(rows), self._bias.size), np.float32)
        project(rows, self._projection, self._bias, out)
        return out[:, : self.parameter_count].reshape(*hidden.shape[:-1], -1)

    def step(self, inputs: Array, state: State) -> tuple[Array, State]:
        """Run one step.

        Args:
            inputs: normalised inputs (B, D_in).
            state: the state before, arrays (L, B, H); it is not changed.

        Returns:
            The head's parameters (B, P), and the state after.

        Raises:
            ValueError: a shape does not match the model's.
        """
        inputs = np.ascontiguousarray(inputs, np.float32)
        h, c = self._copied(state, len(inputs))
        self._check("inputs", inputs.shape[1] >= self.seen, inputs)
        out = np.empty((len(inputs), self._bias.size), np.float32)
        head = (self._projection, self._bias)
        run_step(self._layers, head, self.seen, self._companding_step, inputs, h, c, out)
        return out[:, : self.parameter_count], (h, c)[: len(state)]

    def generate(
        self,
        steps: int,
        state: State,
        window: Array,
        uniform: Array,
        noise: Array,
        *,
        mean: float,
        std: float,
        unit: float,
        temperature: float = 1.0,
        noise_scale: float = 1.0,
        max_scale: float = math.inf,
        mode: Mode = "sample",
        limiter_limit: float | None = None,
        limiter_memory: float = 0.0,
        limiter_power: ArrayLike = 0.0,
    ) -> Generated:
        """Generate in free running: the model reads its own samples.

        Args:
            steps: number of steps.
            state, window: the state of B sequences, and the last W normalised values of each, (B, W).
            uniform: (B, steps) in [0, 1), chooses the components.
            noise: (B, steps, D), normally distributed, the deviations in units of the scales.
            mean, std, unit: a sample's normalised value is (integer * unit - mean) / std.
            temperature: divides the logits; at 0 the most likely component is taken.
            noise_scale: multiplies the scales.
            max_scale: larger scales are replaced by it.
            mode: "sample"; "likely", the mean of the likeliest component; "mean", that of the mixture.
            limiter_limit, limiter_memory, limiter_power: see `pipeline.model.limiter.RmsLimiter`.

        Returns:
            Samples, the state after, and where limits acted.

        Raises:
            ValueError: a shape does not match the model's.
        """
        assert self._head is not None, "nothing is drawn from this head"
        window = np.array(window, np.float32, order="C")
        batch = len(window)
        h, c = self._copied(state, batch)
        self._check("window", window.shape[1] >= self._window, window)
        self._check("uniform", uniform.shape == (batch, steps), uniform)
        self._check("noise", noise.shape == (batch, steps, self.target_size), noise)
        power = np.array(np.broadcast_to(np.asarray(limiter_power, np.float64), batch))
        flags = np.zeros((2, batch, steps), np.uint8)
        samples = np.empty((batch, steps * self.target_size), np.int16)
        fixed = mode != "sample"
        softness, width = (0.0, 0.0) if fixed else (temperature, noise_scale)
        draw = (mode == "mean", np.float32(softness), np.float32(width), np.float32(max_scale))
        generate_samples(
            self._layers,
            self._head,
            self.seen,
            self._companding_step,
            (np.float32(mean), np.float32(std), np.float32(unit)),
            draw,
            (math.inf, 1.0) if limiter_limit is None else (float(limiter_limit), float(limiter_memory)),
            h,
            c,
            window,
            power,
            np.ascontiguousarray(uniform, np.float32),
            np.ascontiguousarray(noise, np.float32),
            samples,
            *flags,
        )
        gain_reduced, scale_clipped = flags.astype(np.bool_)
        return Generated(samples, (h, c)[: len(state)], window, power, gain_reduced, scale_clipped)

    def _copied(self, state: State, batch_size: int) -> tuple[Array, Array]:
        """Copy hidden vectors and cells; a state without cells gets an empty array."""
        for part in state:
            self._check("state", part.shape == (self._start.shape[1], batch_size, self._start.shape[3]), part)
        self._check("state", len(state) == len(self._start), state[0])
        none = np.empty((len(state[0]), 0, 0), np.float32)
        parts = [np.array(part, np.float32, order="C") for part in state]
        return parts[0], parts[1] if len(parts) > 1 else none

    def _check(self, name: str, fits: bool, array: Array) -> None:
        """Raise `ValueError` where a shape is wrong: compiled code would read beyond the array's end."""
        if not fits:
            raise ValueError(f"{name}: not of this network's shape: {array.shape}")
