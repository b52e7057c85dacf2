"""Solution of the normal equations of least squares, as vector instructions that numba would not find.

The elimination is unrolled for each order, with four columns side by side. Each element goes through the same
products and differences in the same order on every processor, so the result has the same bits everywhere.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

ORDER = 16
"""Number of unknowns of `solve`."""
LEAST_PIVOT = 1e-9
"""Equations whose elimination meets a smaller pivot have no reliable solution."""

cgutils: Any = untyped_cgutils

_LANES = 4
_DOUBLE, _INT = ir.DoubleType(), ir.IntType(32)
_VECTOR = ir.VectorType(_DOUBLE, _LANES)

Row = list[ir.Value]
"""A row of the matrix in vectors; those left of the diagonal's are not computed."""


class _Elimination:
    """Emits the instructions that solve A w = y for a symmetric, positive matrix A."""

    def __init__(self, builder: ir.IRBuilder, order: int) -> None:
        self.builder, self.order = builder, order
        self.blocks = range(order // _LANES)

    def load_row(self, data: ir.Value, offset: int) -> Row:
        """Load a row of numbers that begins at an offset."""
        places = [
            self.builder.gep(data, [ir.Constant(_INT, offset + block * _LANES)]) for block in self.blocks
        ]
        vectors = [self.builder.bitcast(place, _VECTOR.as_pointer()) for place in places]
        return [self.builder.load(vector, align=8) for vector in vectors]

    def lane(self, row: Row, index: int) -> ir.Value:
        """Return one number of a row."""
        return self.builder.extract_element(row[index // _LANES], ir.Constant(_INT, index % _LANES))

    def splat(self, value: ir.Value) -> ir.Value:
        """Return a vector whose lanes all are ``value``."""
        one = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INT, 0))
        zeros = ir.Constant(ir.VectorType(_INT, _LANES), [0] * _LANES)
        return self.builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), zeros)

    def subtract(self, row: Row, factor: ir.Value, other: Row, first: int) -> None:
        """Subtract ``factor`` times another row, from the vector ``first`` on."""
        factors = self.splat(factor)
        for block in self.blocks[first:]:
            row[block] = self.builder.fsub(row[block], self.builder.fmul(factors, other[block]))

    def add_to_diagonal(self, rows: list[Row], ridge: ir.Value) -> None:
        """Add a number to each element of the diagonal."""
        for i, row in enumerate(rows):
            total = self.builder.fadd(self.lane(row, i), ridge)
            place = ir.Constant(_INT, i % _LANES)
            row[i // _LANES] = self.builder.insert_element(row[i // _LANES], total, place)

    def solve(self, rows: list[Row], right: Row) -> tuple[ir.Value, list[ir.Value]]:
        """Return whether all pivots are large enough, and the solution; the rows are overwritten."""
        builder, one = self.builder, ir.Constant(_DOUBLE, 1.0)
        usable, solution, factors = ir.Constant(ir.IntType(1), 1), list[ir.Value](), list[Row]()
        for k, row in enumerate(rows):
            pivot, value = self.lane(row, k), self.lane(right, k)
            large = builder.fcmp_ordered(">", pivot, ir.Constant(_DOUBLE, LEAST_PIVOT))
            usable = builder.and_(usable, large)
            inverse = builder.fdiv(one, pivot)
            own, inverses = k // _LANES, self.splat(inverse)
            factor = [builder.fmul(vector, inverses) if b >= own else vector for b, vector in enumerate(row)]
            self.subtract(right, value, factor, own)
            for i in range(k + 1, self.order):
                self.subtract(rows[i], self.lane(factor, i), row, i // _LANES)
            factors.append(factor)
            solution.append(builder.fmul(value, inverse))
        for j in range(self.order - 1, 0, -1):
            for i in range(j):
                product = builder.fmul(self.lane(factors[i], j), solution[j])
                solution[i] = builder.fsub(solution[i], product)
        return usable, solution


def solver(order: int) -> Any:
    """Return a function that solves (matrix + ridge I) x = right for a symmetric, positive matrix.

    Compiled functions call it with the matrix (order, order), of which only the diagonal and what lies right
    of it are read, the right side (order,), the ridge, and the solution (order,). The arrays are contiguous,
    in double precision, and their sizes are not checked. The solution is filled in where all pivots are
    larger than `LEAST_PIVOT`, which is returned, and is kept otherwise.

    Args:
        order: number of unknowns, a multiple of 4.
    """

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = [context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 1, 3)]
        emit = _Elimination(builder, order)
        rows = [emit.load_row(data[0], i * order) for i in range(order)]
        emit.add_to_diagonal(rows, values[2])
        usable, solution = emit.solve(rows, emit.load_row(data[1], 0))
        with builder.if_then(usable):
            for i, value in enumerate(solution):
                builder.store(value, builder.gep(data[2], [ir.Constant(_INT, i)]))
        return usable

    def typed(context: Any, matrix: Any, right: Any, ridge: Any, solution: Any) -> Any:
        return types.boolean(matrix, right, types.float64, solution), build

    return intrinsic(typed)


solve = solver(ORDER)
"""The solver of `ORDER` unknowns."""
