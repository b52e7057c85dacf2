"""The compiled cells, with the layout of what their loops read and write."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.fused import gru, lstm, reset_before_gru, tanh
from models.fused.products import Array, padded


def add_biases(biases: list[Array], size: int) -> list[Array]:
    """Return the biases of the gates (G, H): the sum of one or two vectors (G H)."""
    return list(sum(biases[1:], biases[0]).reshape(-1, size))


def _gru_biases(biases: list[Array], size: int) -> list[Array]:
    """Return the biases of r, z, of n's input part and of q."""
    both = add_biases(biases, size)
    return [both[0], both[1], biases[0][2 * size :], biases[1][2 * size :]]


@dataclass(frozen=True)
class CompiledCell:
    """A cell's loops and the blocks of H numbers that they read and write.

    ``forward(shape, x, before, w, constants, out, kept, kept_steps, begin, end)`` computes the outputs of the
    rows ``begin`` to ``end``; ``backward(shape, grad_out, before, out, kept, w, constants, grads,
    grad_before, begin, end)`` their gradients. All arrays are flat:

    - x (B, T, D): inputs; out (B, T, H): outputs;
    - before (parts, B, H): the state before; grad_before: its gradient. On entry, its second part is the
      gradient of the last cell of an LSTM;
    - w: packed weights. Forward: panels of [x, h'] for each gate; backward: panels of U's columns;
    - constants: biases and peepholes, each padded to a multiple of a panel;
    - kept (B, kept_steps, kept, H): what the backward pass needs of a step. ``kept_steps`` is T, or 1
      where no backward pass follows;
    - grads (B, T, sums, H): the gradients of the gates' sums.

    Attributes:
        gates: blocks of rows of the weights.
        kept: blocks that are kept of a step.
        sums: blocks of a step's gradients.
        input_order: rows of W, as blocks, in the order in which ``grads`` begins.
        first_state_block: block of ``grads`` from which on they are those of U's rows.
        candidate_reads: block of ``kept`` that the last gate's U is multiplied with, where not the state.
        forward, backward: the loops.
        biases: arranges the biases of a layer.
    """

    gates: int
    kept: int
    sums: int
    input_order: tuple[int, ...]
    forward: Callable[..., None]
    backward: Callable[..., None]
    first_state_block: int = 0
    candidate_reads: int | None = None
    biases: Callable[[list[Array], int], list[Array]] = add_biases

    def constants(self, biases: list[Array], peepholes: list[Array], size: int) -> Array:
        """Return biases and peepholes, each padded, as the loops read them."""
        blocks = [*self.biases(biases, size), *peepholes]
        rows = np.zeros((len(blocks), padded(size)), blocks[0].dtype)
        for row, block in zip(rows, blocks, strict=True):
            row[:size] = block
        return rows.reshape(-1)


COMPILED_CELLS = {
    "TANH": CompiledCell(1, 0, 1, (0,), tanh.forward, tanh.backward),
    "GRU": CompiledCell(
        3, 4, 4, (2, 0, 1), gru.forward, gru.backward, first_state_block=1, biases=_gru_biases
    ),
    "LSTM": CompiledCell(4, 5, 4, (0, 1, 2, 3), lstm.forward, lstm.backward),
    "RESET_BEFORE_GRU": CompiledCell(
        3, 4, 3, (0, 1, 2), reset_before_gru.forward, reset_before_gru.backward, candidate_reads=3
    ),
}
"""By the name of their kind in `models.recurrent.cells`."""
