"""Compiled functions of single numbers, and compiled predictors whose last digit is changed."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from models.compiled.predictor import CompiledPredictor


def over(function: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a compiled loop that calls the function with each number of an array."""

    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def loop(x: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        for i in range(x.size):
            y[i] = function(x[i])
        return y

    return loop  # type: ignore[no-any-return]


def change_last_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all compiled predictors project the next larger numbers of single precision."""
    step = CompiledPredictor.step

    def nudged(self: CompiledPredictor, inputs: Any, state: Any) -> Any:
        raw, after = step(self, inputs, state)
        return np.nextafter(raw, np.float32(math.inf)), after

    monkeypatch.setattr(CompiledPredictor, "step", nudged)
