"""Exact code lengths of integer samples under the adaptive experts."""

import numpy as np
from numpy.typing import NDArray

from models.adaptive import cascade, experts
from models.adaptive.cascade import Cascade, new_cascade
from models.adaptive.elementary import log
from models.adaptive.experts import Experts, new_experts
from models.compiled.simd import compiled

Floats = NDArray[np.float64]

_BITS_PER_NAT = 1.4426950408889634


class AdaptivePredictor:
    """The cascade and its experts on one recording, block by block.

    Args:
        depth: bits of a sample, at most 16.
        with_network: whether a network's distribution is among the experts.
    """

    def __init__(self, depth: int = 16, with_network: bool = False) -> None:
        self.depth = depth
        self._states = new_cascade(), new_experts(with_network)
        self._with_network = with_network

    def bits(self, samples: NDArray[np.int64], of_network: Floats | None = None) -> Floats:
        """Return the code length of each of the next samples in bits, and adapt to them.

        Args:
            samples: (n,) integers of ``depth`` bits.
            of_network: (n,) probability that the network assigns to each, given those before it.

        Returns:
            (n,) minus log2 of the probability of each sample, given all before it.

        Raises:
            ValueError: the network's probabilities are missing, not asked for, or not one for each sample.

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
        values = np.ascontiguousarray(samples, np.int64)
        given = np.zeros(0) if of_network is None else np.ascontiguousarray(of_network, np.float64)
        found = np.empty(len(values))
        _code_lengths(*self._states, values, self.depth, given, found)
        return found


@compiled
def _code_lengths(
    predictor: Cascade,
    mixed: Experts,
    samples: NDArray[np.int64],
    depth: int,
    of_network: Floats,
    bits: Floats,
) -> None:
    size = 1 << depth
    lowest, highest = -(size >> 1), (size >> 1) - 1
    for n in range(samples.size):
        value = np.float64(samples[n])
        cascade.predict(predictor)
        experts.begin(mixed, predictor.predictions)
        lower = value - 0.5 if samples[n] > lowest else -np.inf
        upper = value + 0.5 if samples[n] < highest else np.inf
        own = of_network[n] if of_network.size else 0.0
        found = experts.probability(mixed, lower, upper, np.float64(size), own)
        bits[n] = -_BITS_PER_NAT * log(found)
        experts.learn(mixed, predictor.predictions, value)
        cascade.learn(predictor, value)
