"""Counts are those of the layers themselves, and its budgets give the widths of Chung et al. (2014)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parameter_counts import largest_width, matched_hidden_size, recurrent_parameters
from models.recurrent.cells import CELLS
from models.recurrent.stack import RecurrentStack

SPEECH = {"chung2014-tanh": (400, 168_400), "chung2014-gru": (227, 168_888), "chung2014-lstm": (195, 169_065)}
MUSIC = {"chung2014-tanh": (100, 20_050), "chung2014-gru": (46, 20_217), "chung2014-lstm": (36, 19_764)}
"""Units and parameters of the paper's models (table 1)."""

MUSIC_INPUTS = 100.5
"""Notes of a step, averaged over the paper's four sets of music."""


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("biases", [True, False])
def test_counts_are_those_of_the_layers(cell: str, num_layers: int, biases: bool) -> None:
    stack = RecurrentStack(cell, 5, 7, num_layers)
    weights = [weight for name, weight in stack.named_parameters() if biases or "bias" not in name]
    assert recurrent_parameters(cell, 5, 7, num_layers, biases) == sum(weight.numel() for weight in weights)


@pytest.mark.parametrize(("cell", "width", "count"), [(cell, *sizes) for cell, sizes in SPEECH.items()])
def test_the_speech_models_have_the_papers_sizes(cell: str, width: int, count: int) -> None:
    assert matched_hidden_size(cell, 20, 169_100) == width
    assert recurrent_parameters(cell, 20, width) == count


@pytest.mark.parametrize(("cell", "width", "count"), [(cell, *sizes) for cell, sizes in MUSIC.items()])
def test_the_music_models_have_the_papers_sizes(cell: str, width: int, count: int) -> None:
    """20.1, 20.2 and 19.8 thousand in the table; only with its peepholes has the LSTM 19.8."""
    assert matched_hidden_size(cell, MUSIC_INPUTS, 20_300, biases=False) == width
    assert recurrent_parameters(cell, MUSIC_INPUTS, width, biases=False) == count


@given(
    st.sampled_from(list(CELLS)), st.integers(1, 60), st.integers(0, 30_000), st.integers(1, 3), st.booleans()
)
def test_one_more_unit_would_exceed_the_budget(
    cell: str, input_size: int, spare: int, num_layers: int, biases: bool
) -> None:
    budget = recurrent_parameters(cell, input_size, 1, num_layers, biases) + spare
    width = matched_hidden_size(cell, input_size, budget, num_layers, biases)
    fits, exceeds = (
        recurrent_parameters(cell, input_size, size, num_layers, biases) for size in (width, width + 1)
    )
    assert fits <= budget < exceeds


@given(st.integers(1, 500), st.integers(1, 9), st.integers(0, 9))
def test_the_largest_width_is_found_among_all(width: int, per_unit: int, fixed: int) -> None:
    assert largest_width(lambda size: per_unit * size + fixed, per_unit * width + fixed) == width


@pytest.mark.parametrize("cell", CELLS)
def test_a_budget_below_one_unit_is_rejected_with_its_size(cell: str) -> None:
    one = recurrent_parameters(cell, 20, 1)
    assert matched_hidden_size(cell, 20, one) == 1
    with pytest.raises(ValueError, match=f"{one} parameters, more than {one - 1}"):
        matched_hidden_size(cell, 20, one - 1)
