"""Stacks of recurrent layers behind one interface: a sequence form, a step form, explicit state.

The three units that Chung et al. (2014) compare, each in two forms: that of torch's own kernels (GRU with the
reset gate after the recurrent product, LSTM without peepholes, two biases), and that of the study itself (see
`models.faithful`), whose names begin with `study-`.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from models.faithful import OneBiasTanh, PeepholeLSTM, ResetBeforeGRU, StudyLayers

State = tuple[Tensor, ...]
"""What a stack remembers: one tensor (layers, B, H) for tanh and GRU, two (hidden, cell) for LSTM.

Batch is always dimension 1.
"""

CELLS: dict[str, Callable[..., nn.Module]] = {
    "tanh": partial(nn.RNN, batch_first=True),
    "gru": partial(nn.GRU, batch_first=True),
    "lstm": partial(nn.LSTM, batch_first=True),
    "study-tanh": partial(StudyLayers, OneBiasTanh),
    "study-gru": partial(StudyLayers, ResetBeforeGRU),
    "study-lstm": partial(StudyLayers, PeepholeLSTM),
}
WITH_CELL_STATE = ("lstm", "study-lstm")


class RecurrentStack(nn.Module):
    """``num_layers`` layers of one cell.

    Args:
        cell: one of `CELLS`.
        input_size: D, features of a step.
        hidden_size: H, units of each layer.
        num_layers: layers, each reading the one below.
        dropout: share of a layer's outputs dropped on the way up while training.
    """

    def __init__(
        self, cell: str, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {cell!r}")
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        between = dropout if num_layers > 1 else 0.0
        self.layers = CELLS[cell](input_size, hidden_size, num_layers, dropout=between)

    def initial_state(self, batch_size: int) -> State:
        """An empty state for ``batch_size`` sequences, on the device and of the type of the weights."""
        weight = next(self.layers.parameters())
        zeros = weight.new_zeros(self.num_layers, batch_size, self.hidden_size)
        return (zeros, zeros.clone()) if self.cell in WITH_CELL_STATE else (zeros,)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over a sequence: inputs (B, T, D) and a state give (B, T, H) and the state after."""
        if self.cell in WITH_CELL_STATE:
            hidden, after = self.layers(inputs, state)
            return hidden, after
        hidden, last = self.layers(inputs, state[0])
        return hidden, (last,)

    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step: inputs (B, D) give (B, H); the same numbers as `forward`, one step at a time."""
        hidden, after = self(inputs[:, None], state)
        return hidden[:, 0], after


def keep_state(state: State, keep: Tensor) -> State:
    """Empty the state of the sequences where ``keep`` (B,) is false: a new recording starts there."""
    return tuple(torch.where(keep[None, :, None], part, torch.zeros_like(part)) for part in state)


def detach_state(state: State) -> State:
    """The same state, with the gradient's path into the past cut: truncated back-propagation."""
    return tuple(part.detach() for part in state)
