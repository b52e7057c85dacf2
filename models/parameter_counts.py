"""Equal numbers of parameters: how wide recurrent layers of each cell may be (Chung et al. 2014, table 1).

The paper compares its three units at equal parameter counts, those of the recurrent layers alone. For speech
it counts weights, biases and the LSTM's peepholes: 400 tanh, 227 GRU and 195 LSTM units on 20 inputs have
168,400, 168,888 and 169,065. For music, the inputs are averaged over the four sets (100.5 notes) and biases
are left out, but peepholes are not: 100, 46 and 36 units have 20,050, 20,217 and 19,764, the table's 20.1,
20.2 and 19.8 thousand. (Without peepholes the LSTM would have 19,656.)
"""

from collections.abc import Callable
from functools import partial

from models.recurrent.cells import find_cell


def recurrent_parameters(
    cell: str, input_size: float, hidden_size: int, num_layers: int = 1, biases: bool = True
) -> int:
    """Return the number of parameters of plain recurrent layers.

    Layer normalisation and a trained first state are not counted. Biases and peepholes are counted as the
    cell has them. torch's cells have two biases per gate and the paper's have one. The paper's LSTM has three
    peepholes per unit, which are weights and count without biases too.

    Args:
        cell: one of `models.recurrent.cells.CELLS`.
        input_size: D; a mean over several sets need not be whole, then the count is rounded.
        hidden_size: H, units of each layer.
        num_layers: number of layers.
        biases: whether biases are counted.

    Example:
        >>> recurrent_parameters("chung2014-gru", 20, 227)
        168888
    """
    found = find_cell(cell)
    of_state = found.gates if found.recurrent_gates is None else found.recurrent_gates
    read = input_size + (num_layers - 1) * hidden_size
    of_layer = of_state * hidden_size + found.gates * found.biases * biases + found.peepholes
    per_unit = found.gates * read + num_layers * of_layer
    return round(hidden_size * per_unit)


def matched_hidden_size(
    cell: str, input_size: float, budget: int, num_layers: int = 1, biases: bool = True
) -> int:
    """Return the most units per layer with which `recurrent_parameters` does not exceed a budget.

    Args:
        cell, input_size, num_layers, biases: as in `recurrent_parameters`.
        budget: the largest number of parameters.

    Raises:
        ValueError: a single unit exceeds the budget.

    Example:
        The widths of Chung et al. (2014) for speech:

        >>> [matched_hidden_size(f"chung2014-{cell}", 20, 169_100) for cell in ("tanh", "gru", "lstm")]
        [400, 227, 195]
    """
    count = partial(recurrent_parameters, cell, input_size, num_layers=num_layers, biases=biases)
    return largest_width(count, budget)


def largest_width(count: Callable[[int], int], budget: int) -> int:
    """Return the largest width whose number of parameters does not exceed a budget.

    Args:
        count: returns the number of parameters for a width, with which it increases.
        budget: the largest number of parameters.

    Raises:
        ValueError: width 1 exceeds the budget.

    Example:
        >>> largest_width(lambda width: width * width, 169_100)
        411
    """
    if count(1) > budget:
        raise ValueError(f"a single unit has {count(1)} parameters, more than {budget}")
    fits, exceeds = 1, 2
    while count(exceeds) <= budget:
        fits, exceeds = exceeds, 2 * exceeds
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        fits, exceeds = (middle, exceeds) if count(middle) <= budget else (fits, middle)
    return fits
