"""Stacks of recurrent layers behind one interface: a sequence form, a step form, explicit state.

The three units that Chung et al. (2014) compare, each in two forms: that of torch's own kernels (GRU with the
reset gate after the recurrent product, LSTM without peepholes, two biases), and that of the paper itself (see
`models.recurrent.chung2014`), whose names begin with `chung2014-`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from models.recurrent.cells import find_cell

State = tuple[Tensor, ...]
"""What a model remembers: tensors of three dimensions, batch always dimension 1.

Of a stack: one tensor (layers, B, H) for tanh and GRU, two (hidden, cell) for LSTM.
"""


class RecurrentStack(nn.Module):
    """``num_layers`` layers of one cell, each reading the one below.

    Args:
        cell: one of `models.recurrent.cells.CELLS`.
        input_size: D, features of a step.
        hidden_size: H, units of each layer.
        num_layers: number of layers.
        dropout: share of a layer's outputs dropped on the way to the next while training.
        layer_norm: normalise each layer's outputs (Ba, Kiros and Hinton 2016) before they are read; the
            recurrence itself runs on values that are not normalised.
        residual: add what a layer read to what it puts out, from the second layer on.
        learned_initial_state: begin in a state that is trained, instead of zeros.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        layer_norm: bool = False,
        residual: bool = False,
        learned_initial_state: bool = False,
    ) -> None:
        super().__init__()
        self.cell = find_cell(cell)
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.residual = residual
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(self.cell.make_layer(size, hidden_size) for size in sizes)
        kind = nn.LayerNorm if layer_norm else nn.Identity
        self.norms = nn.ModuleList(kind(hidden_size) for _ in sizes)
        parts = len(self.cell.state_names)
        start = torch.zeros(parts, num_layers, 1, hidden_size)
        self.start = nn.Parameter(start) if learned_initial_state else None
        self.parts = parts

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, (L, B, H) for each part, on the device of the weights."""
        if self.start is not None:
            return tuple(part.expand(-1, batch_size, -1) for part in self.start)
        weight = next(self.layers.parameters())
        shape = (len(self.layers), batch_size, self.hidden_size)
        return tuple(weight.new_zeros(shape) for _ in range(self.parts))

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over a sequence.

        Args:
            inputs: (B, T, D).
            state: the state before, (L, B, H) for each part of a cell's state.

        Returns:
            Outputs of the last layer, (B, T, H), and the state after.
        """
        return run_stacks([self], [inputs], [state])[0]

    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step with the same results as `forward`.

        Args:
            inputs: (B, D).
            state: the state before.

        Returns:
            Outputs (B, H), and the state after.
        """
        hidden, after = self(inputs[:, None], state)
        return hidden[:, 0], after


def run_stacks(
    stacks: Sequence[RecurrentStack], inputs: Sequence[Tensor], states: Sequence[State]
) -> list[tuple[Tensor, State]]:
    """Run the stacks of different networks over a sequence each, layer by layer.

    Args:
        stacks: of one cell and one number of layers.
        inputs: (B, T, D) for each.
        states: the state before, of each.

    Returns:
        Of each, the outputs of the last layer (B, T, H) and the state after.
    """
    cell, found = stacks[0].cell, list(inputs)
    after: list[list[State]] = [[] for _ in stacks]
    for index in range(len(stacks[0].layers)):
        below = [
            dropout(each, stack.dropout, stack.training) if index else each
            for stack, each in zip(stacks, found, strict=True)
        ]
        before = [_state_of_layer(state, index) for state in states]
        ended = cell.run_layers([stack.layers[index] for stack in stacks], below, before)
        for n, (hidden, end) in enumerate(ended):
            after[n].append(end if isinstance(end, tuple) else (end,))
            hidden = stacks[n].norms[index](hidden)
            found[n] = hidden + found[n] if stacks[n].residual and index else hidden
    return [
        (last, tuple(torch.cat(part) for part in zip(*ends, strict=True)))
        for last, ends in zip(found, after, strict=True)
    ]


def _state_of_layer(state: State, index: int) -> Tensor | State:
    """Return the state of one layer as the layer takes it."""
    own = tuple(part[index : index + 1].contiguous() for part in state)
    return own if len(own) > 1 else own[0]


def keep_state_where(state: State, keep: Tensor, fresh: State) -> State:
    """Return a state in which some sequences start anew.

    Args:
        state: the present state, (L, B, H) for each part.
        keep: (B,); where it is false, a new recording starts.
        fresh: the state at the start of a recording.
    """
    return tuple(
        torch.where(keep[None, :, None], part, new.to(part.dtype))
        for part, new in zip(state, fresh, strict=True)
    )


def detach_state(state: State) -> State:
    """Return the same state without the gradient's path into the past: truncated back-propagation."""
    return tuple(part.detach() for part in state)


@contextmanager
def weight_noise(module: nn.Module, std: float) -> Iterator[None]:
    """Add Gaussian noise to the weight matrices of all recurrent layers, and remove it at the end.

    The gradient that is computed meanwhile is that at the noisy weights, which regularises (Graves 2011);
    Chung et al. (2014) train so with a standard deviation of 0.075. Biases and peepholes keep their values.

    Args:
        module: contains the layers.
        std: standard deviation of the noise; 0 adds none.
    """
    if not std:
        yield
        return
    stacks = [part for part in module.modules() if isinstance(part, RecurrentStack)]
    named = (pair for stack in stacks for pair in stack.layers.named_parameters())
    weights: list[Tensor] = [weight for name, weight in named if "weight" in name]
    before = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        torch._foreach_add_(weights, [torch.randn_like(weight) for weight in weights], alpha=std)
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(weights, before)
