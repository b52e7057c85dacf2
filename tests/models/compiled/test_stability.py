"""The compiled form of stability gives what the form in plain numbers gives."""

import numpy as np
import pytest
import torch

from models.compiled.stability import make_stable
from models.distributions.stability import is_stable, stabilise


@pytest.mark.parametrize("order", [1, 2, 5, 12, 32])
def test_both_forms_make_the_same_of_a_predictor(order: int) -> None:
    random = np.random.default_rng(order)
    unstable = 0
    for size in np.geomspace(0.05, 3.0, 40):
        given = (size * random.standard_normal(order) / np.sqrt(order)).astype(np.float32)
        expected = stabilise(torch.from_numpy(given)).numpy()
        made = given.copy()
        make_stable(made)
        if is_stable(given.tolist()):
            np.testing.assert_array_equal(made, given)
        else:
            unstable += 1
            np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
        again = made.copy()
        make_stable(again)
        np.testing.assert_array_equal(again, made, "what is stable stays as it is")
    assert 5 < unstable < 40, "some predictors of each kind"
