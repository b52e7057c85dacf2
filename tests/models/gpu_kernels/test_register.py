"""The kernel that settles an update, run by Triton's interpreter, against the operations that define it."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import math, torch
from pipeline.training.gpu import settling
from pipeline.training.gpu.settling import Register, settle

numbers = torch.tensor([[0.1, 40.0], [0.2, 30.5], [0.3, 20.0], [0.4, 10.0], [0.5, 4.0]])
losses = [1.5, math.nan, -2.0, math.inf, 0.25]
norms = torch.tensor([[0.1, 0.2, 0.1], [1, 1, 1], [3, 4, 0], [1, 2, 3], [2, math.inf, 1]])
ours, expected = (Register.on(torch.device("cpu")) for _ in range(2))
for loss, norm in zip(losses, norms):
    for register, by_kernel in ((ours, True), (expected, False)):
        settling.has_kernels = lambda _, by_kernel=by_kernel: by_kernel
        settle(register, numbers, torch.tensor(loss), norm, 2.0)
    scale = 1 - expected.found_inf  # of a skipped update it is not read
    for name, one, other in zip(Register._fields, ours, expected):
        if name != "scale" or scale:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=0, msg=name)
assert expected.sums[settling.SKIPPED] == 3 and expected.row == 5
print("equal")
"""

COMPILATION = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from models.gpu_kernels.register import settle_update

constants = dict(norm_floor=1e-6, largest=3.4e38, most=8)
signature = {name: "*fp32" for name in "row sums rate scale found_inf numbers loss norms".split()}
signature |= {"row": "*i64", "sums": "*fp64", "count": "i32", "clip_norm": "fp32"}
signature |= dict.fromkeys(constants, "constexpr")
made = compile(ASTSource(settle_update, signature, constants), target=GPUTarget("cuda", 90, 32))
print("equal" if made.asm["cubin"] else "nothing")
"""


@pytest.mark.parametrize(
    ("program", "interpreted"), [(PROGRAM, "1"), pytest.param(COMPILATION, "0", marks=pytest.mark.slow)]
)
def test_the_kernel_equals_torch_and_compiles_for_a_gpu(program: str, interpreted: str) -> None:
    """In a process of its own, as Triton's interpreter is chosen before the import."""
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": interpreted}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "equal", done.stderr
