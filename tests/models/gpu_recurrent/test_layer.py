"""Layers in kernels for GPUs, run by Triton's interpreter, against torch in double precision."""

import os
import subprocess
import sys

import pytest

from models.recurrent.cells import CELLS

KINDS = [name for name, cell in CELLS.items() if cell.kernels]
SIZES = {name: CELLS[name].size[0] for name in KINDS}  # of the paper


def run(environment: dict[str, str], *arguments: object) -> list[str]:
    """What a program prints, in a process of its own: the interpreter is chosen before Triton's import."""
    pytest.importorskip("triton")
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def errors(*cases: tuple[object, ...], at_once: int = 1) -> list[float]:
    """Relative errors of cells, each with B, T, D, H, and "single" or "half".

    Among as many programs as run at once, the units of a layer are divided where they suffice.
    """
    flat = [each for one in cases for each in one]
    program = "tests.helpers.networks.kernel_layers"
    return [float(each) for each in run({"TRITON_INTERPRET": "1"}, program, at_once, *flat)]


@pytest.mark.slow
def test_outputs_and_gradients_are_those_of_torch() -> None:
    """More sequences or units than one program has, some of which it does not fill."""
    cases = [(name, 2, 3, 3, 35, "single") for name in ("tanh", "chung2014-gru", "chung2014-lstm", "mingru")]
    assert max(errors(("gru", 17, 3, 3, 35, "single"), *cases, at_once=4)) < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("at_once", [1, 4, 132])
def test_every_shape_has_the_outputs_and_gradients_of_torch(name: str, at_once: int) -> None:
    """On a processor that runs one program at once, on one that runs a few, and on an H100."""
    shapes = [(1, 1, 1, 1), (3, 1, 5, 46), (16, 7, 20, 64), (33, 4, 6, 130), (2, 5, 3, 195)]
    shapes.append((3, 6, 20, SIZES[name]))
    assert max(errors(*((name, *shape, "single") for shape in shapes), at_once=at_once)) < 5e-6


@pytest.mark.slow
def test_stacks_with_all_options_have_the_gradients_of_torch() -> None:
    """Layer norm, residuals, dropout, a learned state, and sequences that start anew."""
    found = run({"TRITON_INTERPRET": "1"}, "tests.helpers.networks.kernel_stacks", *KINDS)
    assert max(map(float, found)) < 2e-5


@pytest.mark.slow
def test_products_of_bfloat16_are_close_to_torch() -> None:
    found = errors(*((name, 5, 6, 4, 46, "half") for name in KINDS if name != "mingru"), at_once=4)
    assert max(found) < 0.03
    assert min(found) > 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_kernels_compile_for_an_h100(name: str) -> None:
    """With the memory that a multiprocessor has, in each precision, for one sequence, 32 and 4096."""
    program = "tests.helpers.networks.compiled_kernels"
    found = run({"TRITON_INTERPRET": "0"}, program, name, SIZES[name])
    assert len(found) == 18
    assert max(map(int, found)) <= 227 * 1024
