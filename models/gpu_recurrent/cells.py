"""The cells that have kernels, with the layout of what these read and write, and their launches."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class KernelCell:
    """A cell's kernels and the blocks of H numbers that they read and write.

    ``forward`` reads the sums W x + b of all steps, ``pre`` (B, T, G H), the padded U or none, a second bias
    (G H) or none, the peepholes (3, H) or none, and the state before, ``hidden`` and ``cell`` (B, H). It
    writes the hidden states ``out`` (B, T, H), those ``before`` each step (B, T, H), what the backward pass
    needs, ``kept`` (B, T, kept, H), and the ``cells`` (B, T + 1, H) of an LSTM. ``arrived`` are counters, see
    `new_counters`.

    ``backward`` reads the gradients of the outputs, and of the last cell or none. It writes those of the
    gates' sums, ``grads`` (B, T, sums, H), and of the state before, ``grad_hidden``. ``carried`` (2, B, H) is
    memory of its own. Of an LSTM, one of its halves is the gradient of the first cell at the end.

    Attributes:
        module: holds both kernels.
        gates: blocks of H rows of the weights.
        kept: blocks that are kept of a step.
        sums: blocks of a step's gradients. The first ``gates`` are those of U's rows. Three more are the
            gradients of the peepholes, where there are any.
        candidate_input: block of a step's gradients that are those of W's last H rows.
        candidate_reads: block of ``kept`` that the last gate's U is multiplied with, where not the state.
        has_cell: whether the state has a cell.
        reads_state: whether gates read the state. If not, units are divided among programs too.
    """

    module: str
    gates: int
    kept: int
    sums: int
    candidate_input: int
    candidate_reads: int | None = None
    has_cell: bool = False
    reads_state: bool = True

    @property
    def kernels(self) -> Any:
        """The module of the kernels, which imports Triton."""
        return import_module(f"models.gpu_recurrent.{self.module}")


KERNEL_CELLS = {
    "TANH": KernelCell("tanh", 1, 0, 1, 0),
    "GRU": KernelCell("gru", 3, 4, 4, 3),
    "LSTM": KernelCell("lstm", 4, 4, 4, 3, has_cell=True),
    "RESET_BEFORE_GRU": KernelCell("reset_before_gru", 3, 4, 3, 2, candidate_reads=3),
    "MINGRU": KernelCell("mingru", 2, 2, 2, 1, reads_state=False),
}
"""By the name of their kind in `models.recurrent.cells`."""

TERMS = 64
"""Most terms of a tile of weights."""
BYTES_OF_TILES = 64 * 1024
"""Most bytes of the tiles of all gates that are read at once in the forward pass."""
STAGES = 3
"""One stage of a kernel computes and the others load, so two sets of tiles lie in shared memory."""
ALIGNMENT = 16
"""Numbers of a row of weights are a multiple of it, so that they are read as whole vectors."""
LANES = 16
"""Sequences of a program: the rows of a product of tensor cores."""


class Tiles(NamedTuple):
    """How a layer is divided among programs and tiles.

    Attributes:
        width: numbers of a row of weights, H with zeros up to a multiple of `ALIGNMENT`.
        columns: units of a tile.
        terms: of a tile, of the products of the forward pass and of the backward one.
        groups: programs that have sequences of their own.
        parts: programs among which the units of the same sequences are divided.
        warps: groups of 32 threads of a program.
    """

    width: int
    columns: int
    terms: tuple[int, int]
    groups: int
    parts: int
    warps: int


def tiles_of(kind: str, batch: int, size: int, half: bool, device: torch.device) -> Tiles:
    """Return the tiles of a layer.

    Args:
        kind: in `KERNEL_CELLS`.
        batch: B.
        size: H.
        half: whether weights are bfloat16.
        device: units are divided only among programs that run at once there.
    """
    form, groups, width = KERNEL_CELLS[kind], -(-batch // LANES), -(-size // ALIGNMENT) * ALIGNMENT
    columns, parts = 128 if size > 64 else 64, 1
    if form.reads_state:
        divided = ((each, -(-size // each)) for each in (32, 64))
        at_once = multiprocessors(device)
        columns, parts = next((pair for pair in divided if groups * pair[1] <= at_once), (columns, parts))
    else:
        parts = -(-size // columns)
    fitting = max(16, BYTES_OF_TILES // (form.gates * columns * (2 if half else 4)))
    terms = min(TERMS, 1 << fitting.bit_length() - 1)
    return Tiles(width, columns, (terms, TERMS), groups, parts, 4 if columns == 32 else 8)


@cache
def multiprocessors(device: torch.device) -> int:
    """Return how many programs a GPU runs at once, of those that use most of a multiprocessor."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


def new_counters(kind: str, tiles: Tiles, like: Tensor) -> Tensor | None:
    """Return the counters at which programs meet, where they do."""
    if tiles.parts == 1 or not KERNEL_CELLS[kind].reads_state:
        return None
    return like.new_zeros(tiles.groups, dtype=torch.int32)


def pack(weight_hh: Tensor, size: int, tiles: Tiles, half: bool) -> Tensor:
    """Return U (G H, H) as the kernels read it, (G, H, width), rounded to bfloat16 where ``half``."""
    gates = len(weight_hh) // size
    kind = torch.bfloat16 if half else weight_hh.dtype
    packed = weight_hh.new_zeros(gates, size, tiles.width, dtype=kind)
    packed[:, :, :size].copy_(weight_hh.view(gates, size, size))
    return packed


def launch(
    kind: str, backward: bool, packed: Tensor | None, out: Tensor, arguments: tuple[Tensor | None, ...]
) -> None:
    """Start a kernel.

    Args:
        kind: in `KERNEL_CELLS`.
        backward: which of its two kernels.
        packed: U, see `pack`.
        out: the outputs (B, T, H).
        arguments: all tensors, these among them, see `KernelCell`.
    """
    batch, steps, size = out.shape
    form, half = KERNEL_CELLS[kind], packed is not None and packed.dtype == torch.bfloat16
    tiles = tiles_of(kind, batch, size, half, out.device)
    kernel: Any = form.kernels.backward if backward else form.kernels.forward
    precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    with torch.cuda.device(out.device) if out.is_cuda else nullcontext():
        kernel[(tiles.groups, tiles.parts)](
            *arguments, batch, steps, size,
            width=tiles.width, lanes=LANES, columns=tiles.columns, terms=tiles.terms[backward],
            precision=precision, parts=tiles.parts, num_warps=tiles.warps, num_stages=STAGES,
            launch_cooperative_grid=form.reads_state and tiles.parts > 1,
        )  # fmt: skip
