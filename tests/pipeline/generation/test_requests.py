"""A served model answers what it can answer in reasonable time, and rejects the rest in one sentence."""

from typing import Any

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.generation.requests import MOST_ROWS, MOST_VALUES, check_request
from tests.helpers.builders import tiny_model

PARAMETERS: dict[str, Any] = {"seconds": 1.0, "temperature": 1.0, "seed": 0}


def test_an_ordinary_request_is_accepted() -> None:
    check_request(tiny_model(), np.zeros((2, 400), np.float32), PARAMETERS)
    check_request(tiny_model(), np.zeros((1, 0), np.float32), PARAMETERS)


@pytest.mark.parametrize(
    ("context", "parameters", "complaint"),
    [
        (np.full((1, 4), np.nan, np.float32), {}, "finite"),
        (np.full((1, 4), 1e30, np.float32), {}, "at most 8"),
        (np.zeros((MOST_ROWS + 1, 4), np.float32), {}, "rows"),
        (np.zeros((0, 4), np.float32), {}, "rows"),
        (np.zeros((1, MOST_VALUES + 1), np.float32), {}, "values"),
        (np.zeros((1, 4, 3), np.float32), {}, "shape"),
        (np.zeros((1, 4), "U1"), {}, "array of numbers"),
        (np.zeros((1, 4), np.float32), {"seconds": 1e9}, "seconds"),
        (np.zeros((2, 4), np.float32), {"seconds": 301.0}, "seconds"),
        (np.zeros((1, 4), np.float32), {"seconds": float("nan")}, "seconds"),
        (np.zeros((1, 4), np.float32), {"seconds": 1e-9}, "one step"),
        (np.zeros((1, 4), np.float32), {"temperature": -1}, "temperature"),
        (np.zeros((1, 4), np.float32), {"temperature": "1"}, "temperature"),
        (np.zeros((1, 4), np.float32), {"seed": 0.5}, "seed"),
        (np.zeros((1, 4), np.float32), {"seed": 10**400}, "seed"),
    ],
)
def test_a_request_beyond_the_limits_is_rejected(
    context: np.ndarray, parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        check_request(tiny_model(), context, PARAMETERS | parameters)
