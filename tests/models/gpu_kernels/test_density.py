"""The kernel of the log-density, run by Triton's interpreter, against torch in double precision."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
from models.distributions import mixture
from models.distributions.correlated_mixtures import AutoregressiveMixture, FullCovarianceMixture
from models.distributions.mixture import DiagonalMixture

def parts_of(kind, k, d):
    normal = lambda *shape: torch.randn(4, 3, *shape)
    scale = torch.exp(normal(k, d))
    if kind is DiagonalMixture:
        return [normal(k), normal(k, d), scale]
    if kind is FullCovarianceMixture:
        return [normal(k), normal(k, d), scale, normal(k, d * (d - 1) // 2) / 3]
    return [normal(k), normal(k), normal(k, 6) / 3, scale, normal(6)]

torch.manual_seed(0)
for kind in (DiagonalMixture, FullCovarianceMixture, AutoregressiveMixture):
    for k, d, masked in ((20, 10, True), (5, 3, False), (1, 4, True)):
        parts, value = [part.requires_grad_() for part in parts_of(kind, k, d)], torch.randn(4, 3, d)
        mask = torch.arange(d) < torch.randint(0, d + 1, (4, 3, 1)) if masked else None
        exact = [part.detach().double().requires_grad_() for part in parts]
        mixture.has_kernels = lambda _: False
        expected = kind(*exact).log_prob(value.double(), mask)
        weights = torch.randn(4, 3)
        slopes = torch.autograd.grad((expected * weights).sum(), exact[:4])
        mixture.has_kernels = lambda _: True
        found = kind(*parts).log_prob(value, mask)
        assert "MixtureDensity" in type(found.grad_fn).__name__
        ours = torch.autograd.grad((found * weights).sum(), parts[:4])
        for one, other in zip((found, *ours), (expected, *slopes)):
            near = 2e-5 * float(other.abs().max() + 1)
            torch.testing.assert_close(one.double(), other, rtol=2e-5, atol=near)
print("equal")
"""

COMPILATION = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from models.gpu_kernels.density import mixture_density

names = "logits mean scale value mask log_prob by_logits by_mean by_scale".split()
constants = dict(masked=True, half_log_2pi=0.9, negligible=1e-20, most_components=32, most_outputs=16)
signature = {name: "*fp32" for name in names} | {"mask": "*i1", "components": "i32", "size": "i32"}
signature |= dict.fromkeys(constants, "constexpr")
made = compile(ASTSource(mixture_density, signature, constants), target=GPUTarget("cuda", 90, 32))
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
