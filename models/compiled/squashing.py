"""Squashing functions: those of `models.compiled.elementary` in single precision, exact ones in double."""

import math
from typing import Any

from numba import types
from numba.extending import overload

from models.compiled import elementary


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return math.tanh(x)


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x)."""
    return 1.0 / (1.0 + math.exp(-x))


@overload(tanh, strict=False, jit_options={"forceinline": True})
def _tanh(x: Any) -> Any:
    if x == types.float32:
        return lambda x: elementary.tanh(x)
    return lambda x: math.tanh(x)


@overload(sigmoid, strict=False, jit_options={"forceinline": True})
def _sigmoid(x: Any) -> Any:
    if x == types.float32:
        return lambda x: elementary.sigmoid(x)
    return lambda x: 1.0 / (1.0 + math.exp(-x))
