"""Functions of the heads' training: of `models.compiled.elementary` in single precision, exact in double."""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from models.compiled import elementary


def exp(x: Any) -> Any:
    """Return e^x; in single precision, x is clipped to +-87."""
    return elementary.exp(np.float32(x)) if isinstance(x, np.float32) else math.exp(x)


def log(x: Any) -> Any:
    """Return the natural logarithm of a positive number."""
    return elementary.log(np.float32(x)) if isinstance(x, np.float32) else math.log(x)


def log1p(x: Any) -> Any:
    """Return the natural logarithm of 1 + x, for x > -1."""
    return elementary.log1p(np.float32(x)) if isinstance(x, np.float32) else math.log1p(x)


@overload(exp, strict=False, jit_options={"forceinline": True})
def _exp(x: Any) -> Any:
    if x == types.float32:
        return lambda x: elementary.exp(x)
    return lambda x: math.exp(x)


@overload(log, strict=False, jit_options={"forceinline": True})
def _log(x: Any) -> Any:
    if x == types.float32:
        return lambda x: elementary.log(x)
    return lambda x: math.log(x)


@overload(log1p, strict=False, jit_options={"forceinline": True})
def _log1p(x: Any) -> Any:
    if x == types.float32:
        return lambda x: elementary.log1p(x)
    return lambda x: math.log1p(x)
