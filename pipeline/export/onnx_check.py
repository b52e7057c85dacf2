"""Comparison of an exported step with torch over many steps, with equal inputs and separate states."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pipeline.common.devices import one_thread
from pipeline.common.progress import progress_bar
from pipeline.generation.free_running import maximum_scale

if TYPE_CHECKING:
    from models.distributions.distribution import Distribution
    from pipeline.model.trained_model import TrainedModel

NEXT = "next_"
"""Prefix of the names of state tensors as outputs."""

STREAMS = 2


@dataclass
class Agreement:
    """Largest difference between an output of the file and torch's, over all steps so far.

    Attributes:
        difference: largest absolute difference in the output's units; infinite where a value is NaN.
        largest: largest absolute value of the output in torch.
    """

    difference: float = 0.0
    largest: float = 0.0

    @property
    def relative(self) -> float:
        """Difference as a share of the largest value."""
        return self.difference / self.largest if self.difference and self.largest else self.difference

    def note(self, found: np.ndarray, expected: np.ndarray) -> None:
        """Add the outputs of the next step.

        Args:
            found: output of the exported file.
            expected: output of torch, of the same shape.
        """
        apart = np.nan_to_num(np.abs(found - expected), nan=np.inf)
        self.difference = max(self.difference, float(apart.max(initial=0.0)))
        self.largest = max(self.largest, float(np.abs(expected).max(initial=0.0)))


@torch.inference_mode()
def compare(model: "TrainedModel", file: Path, steps: int) -> dict[str, Agreement]:
    """Compare each output of an exported step with torch.

    Two streams begin in silence. Their inputs are draws from torch's distributions with a fixed seed.

    Args:
        model: model with its network on the CPU.
        file: ONNX file of the model's step.
        steps: number of steps.

    Returns:
        The agreement of each output, by its name.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    remembered = [name for name in names if name.startswith(NEXT)]
    agreement = {name: Agreement() for name in names}
    random = torch.Generator().manual_seed(0)
    state = model.network.initial_state(STREAMS)
    own = {name: part.numpy() for name, part in zip(remembered, _present(state), strict=True)}
    context = torch.zeros(STREAMS, model.framing.input_size)
    with one_thread(), progress_bar("steps") as bar:
        task = bar.add_task("check", total=steps, note="")
        for _ in range(steps):
            distribution, state = model.network.step(context, state)
            expected = vars(distribution) | dict(zip(remembered, _present(state), strict=True))
            feed = {name.removeprefix(NEXT): value for name, value in own.items()}
            found = dict(zip(names, session.run(None, {"inputs": context.numpy(), **feed}), strict=True))
            for name, value in found.items():
                agreement[name].note(value, expected[name].numpy())
            own = {name: found[name] for name in remembered}
            context = _drawn(model, distribution, context, random)
            bar.advance(task)
    return agreement


def _present(state: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the state without the empty memories of convolutions that need none."""
    return [part for part in state if len(part)]


def _drawn(
    model: "TrainedModel", distribution: "Distribution", context: Tensor, random: torch.Generator
) -> Tensor:
    """Return the inputs (B, window * width) of the next step, from values drawn and rounded as stored."""
    frames, normaliser = model.framing, model.normaliser()
    uniform = torch.rand(STREAMS, generator=random)
    noise = torch.randn(STREAMS, frames.target_size, generator=random)
    values = distribution.draw(uniform, noise, max_scale=maximum_scale(model))
    rows = normaliser.restore(values.view(STREAMS, frames.hop, frames.width))
    return torch.cat([context, normaliser.normalise(rows).flatten(1)], 1)[:, -frames.input_size :]
