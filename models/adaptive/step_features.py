"""The steps of a recording as the head on adaptive predictions is called with them.

A step of D samples is one row of numbers. First come, for each sample, the errors of the predictions and the
logarithms of their running scales, then the distance of two values of the recording, and at last what the
network reads, which is known before the step.
"""

import numpy as np
from numpy.typing import NDArray

from models.adaptive import guided
from models.adaptive.elementary import log
from models.adaptive.ensemble import PREDICTIONS
from models.adaptive.guided import Guided, inputs_size, new_guided
from models.compiled.simd import compiled

Features = NDArray[np.float32]

LARGEST_ERROR = 65_504.0
"""Larger errors count as this, the largest number of 16 bits."""


def row_size(hop: int, window: int) -> int:
    """Return the numbers of a step.

    Args:
        hop: samples of a step, D.
        window: past samples that the network reads.
    """
    return 2 * hop * PREDICTIONS + 1 + inputs_size(window)


class StepFeatures:
    """The rows of one recording's steps, block by block.

    Args:
        hop: samples of a step, D.
        window: past samples that the network reads.
        unused: low bits that are 0 in all samples.
    """

    def __init__(self, hop: int, window: int, unused: int = 0) -> None:
        self.hop, self.window, self.unused = hop, window, unused
        self._state = new_guided(window)

    def rows(self, samples: NDArray[np.int16]) -> Features:
        """Return the next steps, (T, row_size), of samples (n,); after a partial step nothing may follow.

        Args:
            samples: the next samples. The errors of samples that a partial step lacks are 0.
        """
        steps = -(-len(samples) // self.hop)
        found = np.zeros((steps, row_size(self.hop, self.window)), np.float32)
        values = samples.astype(np.int64) >> self.unused
        _write_rows(self._state, values, self.hop, self.unused, found)
        return found


@compiled
def _write_rows(state: Guided, samples: NDArray[np.int64], hop: int, unused: int, rows: Features) -> None:
    unit, shift, predictions = (
        np.float64(1 << unused),
        log(np.float64(1 << unused)),
        state.predictor.predictions,
    )
    scales = hop * PREDICTIONS
    for t in range(rows.shape[0]):
        row = rows[t]
        row[2 * scales] = np.float32(unit)
        guided.write_inputs(state, row[2 * scales + 1 :])
        for n in range(min(hop, samples.size - t * hop)):
            value = np.float64(samples[t * hop + n])
            guided.predict(state)
            for j in range(PREDICTIONS):
                error = (value - predictions[j]) * unit
                row[n * PREDICTIONS + j] = np.float32(min(max(error, -LARGEST_ERROR), LARGEST_ERROR))
                row[scales + n * PREDICTIONS + j] = np.float32(log(state.scale[j]) + shift)
            guided.learn(state, value)
