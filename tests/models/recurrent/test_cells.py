"""The registry of cells: unique names, an answer to unknown ones, light imports."""

import subprocess
import sys

import pytest

from models.parameter_counts import recurrent_parameters
from models.recurrent.cells import CELLS, Cell, find_cell, register_cell


def test_an_error_for_an_unknown_cell_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"tanh, gru, lstm.*not 'rnn'"):
        find_cell("rnn")


def test_an_alias_finds_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell("new", "module:layer", "New", 1, aliases=("old",))
    monkeypatch.setitem(CELLS, "new", cell)
    assert find_cell("old") is cell


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="already registered"):
        register_cell(Cell("another", "module:layer", "Another", 1, aliases=("gru",)))
    assert "another" not in CELLS


def test_a_cell_without_a_step_raises() -> None:
    with pytest.raises(ValueError, match="bare has no ONNX step"):
        Cell("bare", "module:layer", "Bare", 1).onnx_step()


@pytest.mark.parametrize("name", CELLS)
def test_a_layers_parameters_have_the_registered_shapes(name: str) -> None:
    layer = CELLS[name].make_layer(5, 7)
    shapes = {key: tuple(weight.shape) for key, weight in layer.named_parameters()}
    assert CELLS[name].parameter_shapes(5, 7) == shapes
    assert sum(weight.numel() for weight in layer.parameters()) == recurrent_parameters(name, 5, 7)


@pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if cell.size])
def test_the_sizes_of_benchmarks_have_as_many_parameters(name: str) -> None:
    units, layers = CELLS[name].size or (0, 0)
    assert recurrent_parameters(name, 20, units, layers) == pytest.approx(168_800, rel=0.008)


def test_settings_are_checked_without_torch() -> None:
    code = "import sys, pipeline.config.model; print('torch' in sys.modules or 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
