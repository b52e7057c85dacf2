"""Free running in torch, for every kind of model on any device; the reference for the compiled form."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cuda_graphs.step import CapturedStep, Memory
from models.distributions.distribution import Distribution
from models.distributions.mixture import Mixture, select_component
from models.head_kinds import HEADS
from models.recurrent.stack import State
from pipeline.common.devices import one_thread
from pipeline.evaluation.nll import CHUNK_STEPS
from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.free_running import FreeRun, maximum_scale

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel


@torch.inference_mode()
def warm_state(model: "TrainedModel", context: ContextRows) -> tuple[State, Tensor]:
    """Run the recurrence teacher-forced over stored rows, without the first ones that fill no step.

    Args:
        model: any trained model.
        context: stored rows (N, width), read a chunk of steps at a time.

    Returns:
        The state after the last row, and the window (window, width) of normalised values that is the next
        step's input.
    """
    frames, normaliser = model.framing, model.normaliser()
    state = model.network.initial_state(1)
    window = torch.zeros(frames.window, frames.width, device=model.device)
    whole = CHUNK_STEPS * frames.hop
    for rows in context.blocks(len(context) % frames.hop, whole):
        known = normaliser.normalise(torch.from_numpy(np.ascontiguousarray(rows)).to(model.device))
        # Padded to a whole chunk, so that the arithmetic does not depend on the length of the last.
        padding = known.new_zeros(whole - len(rows), frames.width)
        values = torch.cat([window, known, padding])[None]
        inputs, _, _ = frames.split(values, torch.ones(values.shape[:2], dtype=torch.bool))
        state = model.network.advance(inputs[:, : len(rows) // frames.hop], state)
        window = torch.cat([window, known])[len(known) :]
    return state, window


class TorchFreeRun(FreeRun):
    """Free run for every kind of input, network and head; on a GPU, a step is replayed as one CUDA graph."""

    def condition(self, context: ContextRows) -> None:
        """Condition the state on stored rows (N, width)."""
        takes, device = self.sampling.takes, self.model.device
        self._normaliser, self._level = self.model.normaliser(), self.model.limiter
        self._widest = maximum_scale(self.model)
        with one_thread():
            state, window = warm_state(self.model, context)
        power = torch.zeros(takes, dtype=torch.float64, device=device)
        states = (part.repeat_interleave(takes, 1) for part in state)
        memory = (window.expand(takes, -1, -1), power, *states)
        uniform = torch.zeros(takes, device=device)
        noise = torch.zeros(takes, self.model.framing.target_size, device=device)
        # Each note of NADE depends on whether those below it sound, for which a graph cannot wait.
        capture = HEADS[self.model.model.head].in_graphs
        self._run = CapturedStep(self._step, memory, uniform, noise, capture=capture)

    def draw(self, uniform: NDArray[np.float32], noise: NDArray[np.float32]) -> Rows:
        """Return the rows (B, n * hop, width) of the next steps."""
        device = self.model.device
        first, second = torch.tensor(uniform, device=device), torch.tensor(noise, device=device)
        with one_thread():
            steps = [self._run(first[:, n], second[:, n]) for n in range(first.shape[1])]
        rows, gain_reduced, scale_clipped = (
            torch.stack(part, 1).cpu().numpy() for part in zip(*steps, strict=True)
        )
        self.limiter.note(gain_reduced, scale_clipped)
        return rows.reshape(len(rows), -1, rows.shape[-1])

    def _step(self, memory: Memory, uniform: Tensor, noise: Tensor) -> tuple[tuple[Tensor, ...], Memory]:
        """Return rows (B, hop, width), flags (B,) of both limits, and the memory after the step."""
        frames, (window, power, *state) = self.model.framing, memory
        distribution, after = self.model.network.step(window.flatten(1), tuple(state))
        values, scale_clipped = self._values(distribution, uniform, noise)
        gain_reduced = torch.zeros_like(scale_clipped)
        if self._level:
            values, power, gain_reduced = self._level(values, power)
        rows = self._normaliser.restore(values.view(len(uniform), frames.hop, frames.width))
        context = torch.cat([window, self._normaliser.normalise(rows)], 1)[:, -frames.window :]
        return (rows, gain_reduced, scale_clipped), (context, power, *after)

    def _values(self, distribution: Distribution, uniform: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, D) of the next step, and flags (B,) where their scale was limited."""
        sampling = self.sampling
        none = torch.zeros(len(uniform), dtype=torch.bool, device=uniform.device)
        if sampling.mode == "mean":
            return distribution.expectation(), none
        drawn = sampling.mode == "sample"
        temperature, noise_scale = (sampling.temperature, sampling.noise_scale) if drawn else (0.0, 0.0)
        values = distribution.draw(
            uniform, noise, temperature, noise_scale=noise_scale, max_scale=self._widest
        )
        if not (isinstance(distribution, Mixture) and sampling.noisy):
            return values, none
        scale = select_component(distribution.scale, distribution.choose(uniform, temperature))
        return values, (scale > self._widest).any(-1)
