"""Cell arrays of matrices from MATLAB's files of version 5 to 7, read within bounds.

SciPy's reader ends the process for some damaged files and has no limit on unpacked sizes. Only what a set of
piano rolls needs is read here: top-level cells of real matrices of numbers.

Source: MathWorks, "MAT-File Format", level 5.
"""

import math
import zlib
from collections.abc import Container, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 128
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's names of the types of stored numbers."""
MATRIX, COMPRESSED = 14, 15
CELL, NUMBERS, COMPLEX = 1, range(6, 16), 0x800
OTHERS = {-1: "complex128", 4: "U1"}
MOST_AXES = 32
MOST_ELEMENTS = 1 << 20

Element = tuple[int, memoryview]
"""The type of a data element, and its bytes."""


def read_cells(data: bytes, names: Container[str], most_bytes: int) -> dict[str, list[NDArray[Any]] | None]:
    """Return the matrices of the cell arrays of these names.

    Args:
        data: a whole file.
        names: variables to read; others are passed over.
        most_bytes: limit on the unpacked bytes of all variables.

    Returns:
        The matrices of each variable, in MATLAB's order. None stands for a variable that is no cell array.
        An empty array of another type stands for a cell that holds no real numbers.

    Raises:
        ValueError: the file is damaged or too large.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER_BYTES - 2 : HEADER_BYTES])
    if order is None:
        raise ValueError("its header has no byte order")
    found: dict[str, list[NDArray[Any]] | None] = {}
    for kind, content in _elements(memoryview(data)[HEADER_BYTES:], order, padded=False):
        if kind == COMPRESSED:
            unpacked = _unpacked(content, most_bytes)
            most_bytes -= len(unpacked)
            kind, content = _first(_elements(memoryview(unpacked), order))
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} where a variable belongs")
        array_class, _, name, parts = _array(content, order)
        if name in names:
            cells = list(parts) if array_class == CELL else None
            found[name] = None if cells is None else [_matrix(*cell, order) for cell in cells]
    return found


def _unpacked(packed: memoryview, most_bytes: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(packed, most_bytes + 1)
    except zlib.error as problem:
        raise ValueError(str(problem)) from None
    if len(data) > most_bytes:
        raise ValueError("its variables are too large when unpacked")
    return data


def _elements(data: memoryview, order: str, padded: bool = True) -> Iterator[Element]:
    """Yield the elements in these bytes; small ones lie in their tag, others start at multiples of 8."""
    place = count = 0
    while place < len(data):
        count += 1
        if len(data) - place < 8 or count > MOST_ELEMENTS:
            raise ValueError("it ends within an element, or has too many of them")
        kind, size = (int(x) for x in np.frombuffer(data[place : place + 8], f"{order}u4"))
        if kind >> 16:
            size, kind, start, end = kind >> 16, kind & 0xFFFF, place + 4, place + 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            start = place + 8
            end = start + size + (-size % 8 if padded or kind != COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
        yield kind, data[start : start + size]
        place = end


def _first(elements: Iterator[Element]) -> Element:
    found = next(elements, None)
    if found is None:
        raise ValueError("an element is missing")
    return found


def _numbers(element: Element, order: str) -> NDArray[Any]:
    kind, content = element
    dtype = np.dtype(f"{order}{STORED[kind]}") if kind in STORED else None
    if dtype is None or len(content) % dtype.itemsize:
        raise ValueError(f"numbers of type {kind} in {len(content)} bytes")
    return np.frombuffer(content, dtype)


def _array(content: memoryview, order: str) -> tuple[int, tuple[int, ...], str, Iterator[Element]]:
    """Return class, shape and name of an array, and its other elements; complex numbers have class -1."""
    parts = _elements(content, order)
    flags = _numbers(_first(parts), order)
    shape = tuple(int(n) for n in _numbers(_first(parts), order))
    name = bytes(_first(parts)[1]).decode("latin-1")
    if len(flags) != 2 or flags.dtype.kind not in "iu" or not 2 <= len(shape) <= MOST_AXES or min(shape) < 0:
        raise ValueError("an array without class or shape")
    array_class = -1 if int(flags[0]) & COMPLEX else int(flags[0]) & 0xFF
    return array_class, shape, name, parts


def _matrix(kind: int, content: memoryview, order: str) -> NDArray[Any]:
    """Return a cell's matrix; an element without content is MATLAB's empty matrix."""
    if kind != MATRIX:
        raise ValueError(f"an element of type {kind} in a cell")
    if not len(content):
        return np.empty((0, 0))
    array_class, shape, _, parts = _array(content, order)
    if array_class not in NUMBERS:
        return np.empty((0, 0), OTHERS.get(array_class, object))
    numbers = _numbers(_first(parts), order)
    if math.prod(shape) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers in a matrix of shape {shape}")
    return numbers.reshape(shape, order="F")
