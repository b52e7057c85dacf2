"""Exact code lengths of samples under the adaptive experts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptive import cascade, experts
from models.adaptive.cascade import Cascade, new_cascade
from models.adaptive.cells import Cells, integer_cells
from models.adaptive.elementary import log
from models.adaptive.experts import Experts, new_experts
from models.compiled.simd import compiled

Floats = NDArray[np.float64]

SAMPLE_BITS = 16
_BITS_PER_NAT = 1.4426950408889634


class AdaptivePredictor:
    """The cascade and its experts on one recording, block by block.

    Args:
        cells: values that samples may take, within those of 16 bits; None for all integers of 16 bits.
        with_network: whether a network's distribution is among the experts.
    """

    def __init__(self, cells: Cells | None = None, with_network: bool = False) -> None:
        self._cells = integer_cells(SAMPLE_BITS) if cells is None else cells
        self._states = new_cascade(), new_experts(with_network)
        self._with_network = with_network

    def bits(self, samples: NDArray[Any], of_network: Floats | None = None) -> Floats:
        """Return the code length of each of the next samples in bits, and adapt to them.

        Args:
            samples: (n,) some of the values of the cells.
            of_network: (n,) probability that the network assigns to each, given those before it.

        Returns:
            (n,) minus log2 of the probability of each sample, given all before it.

        Raises:
            ValueError: the network's probabilities are missing, not asked for, or not one for each sample; or
                a sample is none of the values.

        Example:
            A sine becomes predictable within a few periods.

            >>> import numpy as np
            >>> sine = np.rint(1000 * np.sin(np.arange(2000) / 5)).astype(np.int64)
            >>> bits = AdaptivePredictor().bits(sine)
            >>> bool(bits[:10].mean() > 9), bool(bits[-1000:].mean() < 2.5)
            (True, True)
        """
        if (of_network is None) == self._with_network or (
            of_network is not None and of_network.shape != samples.shape
        ):
            raise ValueError("one probability of the network for each sample, or none at all")
        values = self._cells.values
        places = np.searchsorted(values, samples).clip(max=len(values) - 1)
        if not np.array_equal(values[places], samples):
            raise ValueError("a sample is none of the values that samples may take")
        given = np.zeros(0) if of_network is None else np.ascontiguousarray(of_network, np.float64)
        found = np.empty(len(places))
        _code_lengths(*self._states, self._cells, places, given, found)
        return found


@compiled
def _code_lengths(
    predictor: Cascade,
    mixed: Experts,
    cells: Cells,
    places: NDArray[np.int64],
    of_network: Floats,
    bits: Floats,
) -> None:
    size = np.float64(cells.values.size)
    for n in range(places.size):
        place = places[n]
        cascade.predict(predictor)
        experts.begin(mixed, predictor.predictions)
        own = of_network[n] if of_network.size else 0.0
        found = experts.probability(mixed, cells.bounds[place], cells.bounds[place + 1], size, own)
        bits[n] = -_BITS_PER_NAT * log(found)
        experts.learn(mixed, predictor.predictions, cells.values[place])
        cascade.learn(predictor, cells.values[place])
