"""Compile the kernels of a recurrent cell for an H100, where none has to be.

`python -m tests.helpers.networks.compiled_kernels CELL H` prints the bytes of shared memory of its forward
and backward kernel: in TensorFloat-32, in float32, and with bfloat16, with 1, 32 and 4096 sequences.
"""

import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from models.gpu_recurrent import cells
from models.gpu_recurrent.layer import run_layer
from tests.helpers.networks.compiled_layers import case
from tests.helpers.networks.kernel_layers import weights_and_kind


class Driver:
    """What Triton asks of a driver before it compiles."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compile_only(self: Any, grid: Any) -> Callable[..., None]:
    """Take the place of a launch: compile for its arguments, and print the shared memory."""

    def launch(*arguments: Any, **options: Any) -> None:
        made = self.warmup(*arguments, grid=grid, **options)
        assert made.asm["cubin"]
        print(made.metadata.shared, flush=True)

    return launch


if __name__ == "__main__":
    driver.set_active(Driver())
    JITFunction.__getitem__ = compile_only
    cells.multiprocessors = lambda _: 132
    precisions = (("high", False), ("highest", False), ("high", True))
    for (precision, half), batch in product(precisions, (1, 32, 4096)):
        torch.set_float32_matmul_precision(precision)
        cell, layer, inputs, state = case(sys.argv[1], batch, 3, 20, int(sys.argv[2]))
        hidden, last = run_layer(*weights_and_kind(cell, layer), inputs, state, half)
        (hidden.sum() if last is None else hidden.sum() + last.sum()).backward()
