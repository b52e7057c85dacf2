"""Programs that run kernels in Triton's interpreter, or compile them for a GPU, without a GPU.

Each runs in a process of its own, as the interpreter is chosen before Triton is imported.
"""

import os
import subprocess
import sys

import pytest

_COMPILATION = """
import sys
from importlib import import_module
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

kernels = {kernels!r}
for place, types, constants in kernels:
    module, name = place.split(":")
    kernel = getattr(import_module(module), name)
    signature = {{name: types.get(name, "*fp32") for name in kernel.arg_names}}
    signature |= dict.fromkeys(constants, "constexpr")
    made = compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32))
    assert made.asm["cubin"]
print("equal")
"""

Kernel = tuple[str, dict[str, str], dict[str, object]]
"""A kernel as "module:name", the types of its arguments other than ``*fp32``, and its constants."""


def run_interpreted(program: str) -> None:
    """Run a program, which prints ``equal`` at its end, with kernels in the interpreter."""
    _run(program, "1")


def compile_for_a_gpu(*kernels: Kernel) -> None:
    """Compile kernels for an H100."""
    _run(_COMPILATION.format(kernels=kernels), "0")


def _run(program: str, interpreted: str) -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": interpreted}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "equal", done.stderr
