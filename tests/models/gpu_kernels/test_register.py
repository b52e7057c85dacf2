"""The kernel that settles an update, run by Triton's interpreter, against the operations that define it."""

from tests.helpers.networks.triton_programs import run_interpreted

PROGRAM = """
import math, torch
from models.gpu_kernels import operations
from pipeline.training.gpu import settling
from pipeline.training.gpu.settling import Register, settle

numbers = torch.tensor([[0.1, 40.0], [0.2, 30.5], [0.3, 20.0], [0.4, 10.0], [0.5, 4.0]])
losses = [1.5, math.nan, -2.0, math.inf, 0.25]
norms = torch.tensor([0.3, 1.5, 5.0, 3.5, math.inf])
ours, expected = (Register.on(torch.device("cpu")) for _ in range(2))
for loss, norm in zip(losses, norms):
    for register, by_kernel in ((ours, True), (expected, False)):
        operations.has_kernels = lambda _, by_kernel=by_kernel: by_kernel
        settle(register, numbers, torch.tensor(loss), norm, 2.0, 0.25)
    scale = 1 - expected.found_inf  # of a skipped update it is not read
    for name, one, other in zip(Register._fields, ours, expected):
        if name != "scale" or scale:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=0, msg=name)
assert expected.sums[settling.SKIPPED] == 3 and expected.row == 5
print("equal")
"""


def test_the_kernel_equals_the_operations() -> None:
    run_interpreted(PROGRAM)
