"""Programs that run kernels in Triton's interpreter, or compile them for a GPU, without a GPU.

Each runs in a process of its own, as the interpreter is chosen before Triton is imported.
"""

import os
import subprocess
import sys

import pytest

_COMPILE_ONLY = """
from triton.runtime import driver
from triton.runtime.jit import JITFunction
from tests.helpers.networks.compiled_kernels import Driver, compile_only

driver.set_active(Driver())
JITFunction.__getitem__ = compile_only
"""


def run_interpreted(program: str) -> None:
    """Run a program, which prints ``equal`` at its end, with kernels in the interpreter."""
    assert _printed(program, "1") == ["equal"]


def compile_for_a_gpu(program: str) -> list[str]:
    """Run a program whose kernels are compiled for an H100 instead of launched, with the same arguments.

    Returns:
        The bytes of shared memory of each that would be launched, and what the program prints.
    """
    return _printed(_COMPILE_ONLY + program, "0")


def run_on_a_gpu(program: str) -> None:
    """Run a program, which prints ``equal`` at its end, with kernels on the first GPU."""
    assert _printed(program, "0") == ["equal"]


def _printed(program: str, interpreted: str) -> list[str]:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": interpreted}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
