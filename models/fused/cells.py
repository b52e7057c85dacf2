"""The compiled cells, with the layout of what their loops read and write."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.fused import gru, lstm, reset_before_gru, tanh
from models.fused.products import Array, padded
from models.fused.tiles import LANES


def _one_block(biases: list[Array]) -> list[Array]:
    """Return the biases of all gates: the sum of one or two vectors (G H)."""
    return [sum(biases[1:], biases[0])]


def _pair_and_candidate(biases: list[Array]) -> list[Array]:
    """Return the biases of r and z, and of the candidate."""
    size = len(biases[0]) // 3
    return [biases[0][: 2 * size], biases[0][2 * size :]]


def _pair_and_two_parts(biases: list[Array]) -> list[Array]:
    """Return the biases of r and z, of n's input part and of q."""
    size = len(biases[0]) // 3
    first, second = biases
    return [first[: 2 * size] + second[: 2 * size], first[2 * size :], second[2 * size :]]


@dataclass(frozen=True)
class CompiledCell:
    """A cell's loops and the blocks of H numbers that they read and write.

    ``forward(shape, x, before, w, constants, out, kept, kept_steps, begin, end)`` computes the outputs of the
    rows ``begin`` to ``end``; ``backward(shape, grad_out, before, out, kept, w, constants, grad_biases,
    grad_before, begin, end)`` their gradients. All arrays are flat:

    - x (B, T, D): inputs; out (B, T, H): outputs;
    - before (parts, B, H): the state before; grad_before: its gradient. On entry, its second part is the
      gradient of the last cell of an LSTM;
    - w: packed weights. Forward: panels of the rows of [W, U], each of ``blocks`` in panels of its own;
      backward: panels of U's columns;
    - constants: biases, each block padded to whole panels, and the peepholes;
    - kept (B, kept_steps, kept, H): what the backward pass needs of a step. ``kept_steps`` is T, or 1
      where no backward pass follows. The backward pass overwrites its first ``sums`` blocks with the
      gradients of the gates' sums, and adds those over all steps to grad_biases (B, sums, H). With room for
      three blocks more, the gradients of an LSTM's peepholes are added there.

    Attributes:
        blocks: gates whose weights, of H rows each, are multiplied at once.
        kept: blocks that are kept of a step.
        sums: blocks of a step's gradients.
        input_order: rows of W, as blocks, in the order in which a step's gradients begin.
        first_state_block: block of a step's gradients from which on they are those of U's rows.
        candidate_reads: block of ``kept`` that the last gate's U is multiplied with, where not the state.
        forward, backward: the loops.
        biases: arranges the biases of a layer in blocks.
    """

    blocks: tuple[int, ...]
    kept: int
    sums: int
    input_order: tuple[int, ...]
    forward: Callable[..., None]
    backward: Callable[..., None]
    first_state_block: int = 0
    candidate_reads: int | None = None
    biases: Callable[[list[Array]], list[Array]] = _one_block

    @property
    def gates(self) -> int:
        """Blocks of H rows of the weights."""
        return sum(self.blocks)

    def panels(self, size: int) -> int:
        """Return the number of panels of packed weights, for H units."""
        return sum(padded(gates * size) // LANES for gates in self.blocks)

    def constants(self, biases: list[Array], peephole: Array) -> Array:
        """Return biases and peepholes (3, H) as the loops read them."""
        blocks = self.biases(biases)
        places = np.cumsum([0, *(padded(len(block)) for block in blocks)])
        found = np.zeros(places[-1] + peephole.size, peephole.dtype)
        for place, block in zip(places[:-1], blocks, strict=True):
            found[place : place + len(block)] = block
        found[places[-1] :] = peephole.reshape(-1)
        return found


COMPILED_CELLS = {
    "TANH": CompiledCell((1,), 1, 1, (0,), tanh.forward, tanh.backward),
    "GRU": CompiledCell(
        (2, 1),
        4,
        4,
        (2, 0, 1),
        gru.forward,
        gru.backward,
        first_state_block=1,
        biases=_pair_and_two_parts,
    ),
    "LSTM": CompiledCell((4,), 5, 4, (0, 1, 2, 3), lstm.forward, lstm.backward),
    "RESET_BEFORE_GRU": CompiledCell(
        (2, 1),
        4,
        3,
        (0, 1, 2),
        reset_before_gru.forward,
        reset_before_gru.backward,
        candidate_reads=3,
        biases=_pair_and_candidate,
    ),
}
"""By the name of their kind in `models.recurrent.cells`."""
