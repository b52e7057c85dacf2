"""Compile the kernels of a recurrent cell for an H100, where none has to be.

`python -m tests.helpers.networks.compiled_kernels CELL H` prints the bytes of shared memory of its forward
and backward kernel in TensorFloat-32, in float32, and in bfloat16.
"""

import sys
from typing import Any

from triton import compile as compile_kernel
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from models.gpu_recurrent.cells import KERNEL_CELLS, STAGES, WARPS, tiles_of
from models.gpu_recurrent.tiles import LANES
from models.recurrent.cells import CELLS


def shared_memory(name: str, size: int, backward: bool, half: bool, precision: str) -> int:
    """Bytes of the kernel's shared memory."""
    cell = CELLS[name]
    kind = cell.compiled or ""
    kernel = KERNEL_CELLS[kind].kernels.backward if backward else KERNEL_CELLS[kind].kernels.forward
    tiles = tiles_of(kind, size, half)
    constants: dict[str, Any] = {"padded": tiles.padded, "lanes": LANES, "columns": tiles.columns}
    constants |= {"terms": tiles.terms[backward], "precision": precision}
    lacks = {"peephole": not cell.peepholes, "second_bias": cell.biases < 2}
    lacks |= dict.fromkeys(("cell", "grad_cell"), not KERNEL_CELLS[kind].has_cell)
    constants |= {name: None for name in kernel.arg_names if lacks.get(name)}
    types = dict.fromkeys(kernel.arg_names, "*fp32") | dict.fromkeys(("batch", "steps", "size"), "i32")
    types |= dict.fromkeys(constants, "constexpr") | {"weights": "*bf16" if half else "*fp32"}
    aligned = {
        (place,): [["tt.divisibility", 16]] for place, name in enumerate(types) if types[name][0] == "*"
    }
    source = ASTSource(kernel, types, constants, aligned)
    options = {"num_warps": WARPS, "num_stages": STAGES}
    made = compile_kernel(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert made.asm["cubin"]
    return int(made.metadata.shared)


if __name__ == "__main__":
    for half, precision in ((False, "tf32"), (False, "ieee"), (True, "tf32")):
        for backward in (False, True):
            print(shared_memory(sys.argv[1], int(sys.argv[2]), backward, half, precision), flush=True)
