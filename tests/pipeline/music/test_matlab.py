"""Cells of MATLAB's files: the same matrices that SciPy reads, and an error where SciPy ends the process."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pipeline.music.matlab import read_cells
from tests.helpers.notes import some_roll

LARGE = 1 << 24


def cells_of(*matrices: Any, packed: bool = False) -> bytes:
    cells = np.empty((1, len(matrices)), object)
    cells[0] = [*matrices]
    target = io.BytesIO()
    savemat(target, {"before": 3, "cells": cells, "after": "text"}, do_compression=packed)
    return target.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f4", "f8", "?"])
def test_the_matrices_are_those_that_scipy_reads(packed: bool, dtype: str) -> None:
    data = cells_of(some_roll(9).astype(dtype), some_roll(1).astype(dtype), np.empty((0, 88)), packed=packed)
    found = read_cells(data, ["cells"], LARGE)["cells"]
    expected = loadmat(io.BytesIO(data))["cells"].ravel()
    assert found is not None
    assert len(found) == len(expected) == 3
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_variables_of_other_names_and_kinds_are_told_apart() -> None:
    data = cells_of("text", 1j * np.ones((2, 2)))
    assert read_cells(data, ["nothing"], LARGE) == {}
    assert read_cells(data, ["before"], LARGE) == {"before": None}
    found = read_cells(data, ["cells"], LARGE)["cells"]
    assert found is not None
    assert [matrix.dtype.kind for matrix in found] == ["U", "c"]


def test_what_would_fill_the_memory_is_an_error() -> None:
    data = cells_of(np.zeros((1 << 15, 88)), packed=True)
    assert len(data) < 1 << 17
    with pytest.raises(ValueError, match="too large"):
        read_cells(data, ["cells"], LARGE)


def test_any_size_or_type_may_be_wrong() -> None:
    header, variable = cells_of(some_roll(9))[:128], cells_of(some_roll(9), packed=False)[128:]
    for place in range(0, len(variable), 8):
        for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
            changed = variable[:place] + struct.pack("<I", number) + variable[place + 4 :]
            packed = zlib.compress(changed)
            for content in (changed, struct.pack("<II", 15, len(packed)) + packed):
                with suppress(ValueError):
                    read_cells(header + content, ["cells"], LARGE)
