"""Runs of true values in a mask."""

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.intp]


def true_runs(mask: npt.NDArray[np.bool_]) -> tuple[Positions, Positions]:
    """Return where the runs of true values in ``mask`` (N,) begin and end, each (R,), in order.

    An end is the position behind the last true value.

    Example:
        >>> begins, ends = true_runs(np.array([True, True, False, True]))
        >>> begins.tolist(), ends.tolist()
        ([0, 3], [2, 4])
    """
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges[::2], edges[1::2]
