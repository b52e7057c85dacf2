"""The three recurrent units exactly as Chung et al. (2014) define them.

torch's own kernels compute relatives of them: a GRU with the reset gate after the recurrent product, an LSTM
without peepholes, and two biases everywhere. These have the paper's equations, parameter counts and initial
weights: input weights uniform in +-0.1, recurrent matrices orthogonal, biases zero.

A cell is one layer, called as torch's layers are with ``batch_first=True``. The same call gives the same bits
again. All is computed in the type of the weights, also under automatic mixed precision: a state of 8
significant bits would drift over many steps. Second derivatives are not supported.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.cuda_graphs.layer import run_steps
from models.recurrent.chung2014_gru import ResetBeforeGRUSteps
from models.recurrent.chung2014_lstm import PeepholeLSTMSteps
from models.recurrent.chung2014_tanh import TanhSteps

INPUT_WEIGHT_RANGE = 0.1


class Chung2014Cell(nn.Module):
    """Weights of a cell with ``gates`` blocks of H rows, one bias a row, initialised as in the paper's code.

    Each block of the recurrent matrix is orthogonal by itself.

    Args:
        input_size: D, features of a step.
        hidden_size: H, units.
    """

    gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        rows = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))
        nn.init.uniform_(self.weight_ih, -INPUT_WEIGHT_RANGE, INPUT_WEIGHT_RANGE)
        for block in self.weight_hh.split(self.hidden_size):
            nn.init.orthogonal_(block)
        nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"

    def steps_first(self, inputs: Tensor) -> Tensor:
        """Return inputs (B, T, D) as (T, B, D) in the type of the weights."""
        if inputs.dim() != 3 or inputs.shape[1] == 0 or inputs.shape[2] != self.input_size:
            raise ValueError(
                f"inputs must be (B, T > 0, {self.input_size}) for this layer, not {tuple(inputs.shape)}"
            )
        return inputs.to(self.bias.dtype).transpose(0, 1)

    def without_layer(self, state: Tensor, batch_size: int) -> Tensor:
        """Return a state (1, B, H) as (B, H) in the type of the weights."""
        if state.shape != (1, batch_size, self.hidden_size):
            raise ValueError(
                f"a state must be (1, {batch_size}, {self.hidden_size}) here, not {tuple(state.shape)}"
            )
        return state[0].to(self.bias.dtype)


class HiddenStateCell(Chung2014Cell):
    """A cell whose state is its hidden state alone; ``steps`` computes it."""

    steps: ClassVar[type[torch.autograd.Function]]

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run over a sequence.

        Args:
            inputs: (B, T, D).
            state: the state before, (1, B, H).

        Returns:
            Hidden states (B, T, H), and the state after, (1, B, H).

        Raises:
            ValueError: inputs or state have another shape.
        """
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = self.without_layer(state, len(inputs))
            weights = (self.weight_ih, self.bias, self.weight_hh)
            hiddens = run_steps(self, self.steps.apply, self.steps_first(inputs), *weights, hidden)
            return hiddens.transpose(0, 1), hiddens[-1:].clone()


class OneBiasTanh(HiddenStateCell):
    """h = tanh(W x + U h' + b)."""

    gates = 1
    steps = TanhSteps


class ResetBeforeGRU(HiddenStateCell):
    """z, r = sigmoid(W x + U h' + b), g = tanh(W x + U (r h') + b), h = (1 - z) h' + z g.

    The rows of weights and biases are those of r, z, g.
    """

    gates = 3
    steps = ResetBeforeGRUSteps


class PeepholeLSTM(Chung2014Cell):
    """i, f, o = sigmoid(W x + U h' + V c + b), c = f c' + i tanh(W x + U h' + b), h = o tanh(c).

    V is diagonal; i and f read the cell c' before the step, o the cell c after it. The rows of weights and
    biases are those of i, f, g (the tanh), o, the rows of ``peephole`` (3, H) those of i, f, o.
    """

    gates = 4

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.peephole = nn.Parameter(torch.empty(3, hidden_size))
        nn.init.uniform_(self.peephole, -INPUT_WEIGHT_RANGE, INPUT_WEIGHT_RANGE)

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over a sequence.

        Args:
            inputs: (B, T, D).
            state: hidden state and cell before, (1, B, H) each.

        Returns:
            Hidden states (B, T, H), and the state after.

        Raises:
            ValueError: inputs or state have another shape.
        """
        with torch.autocast(inputs.device.type, enabled=False):
            hidden, cell = (self.without_layer(part, len(inputs)) for part in state)
            weights = (self.weight_ih, self.bias, self.weight_hh, self.peephole)
            tensors = (self.steps_first(inputs), *weights, hidden, cell)
            hiddens, last = run_steps(self, PeepholeLSTMSteps.apply, *tensors)
            return hiddens.transpose(0, 1), (hiddens[-1:].clone(), last[None])
