"""Positions of gaps: from a packet trace, a table of seconds, or runs of zeros; random packet losses.

Gaps are an array (G, 2) of sample numbers, the first and the last + 1. They are in order and inside the
recording. Adjacent gaps are merged into one.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.spooled import Sound, blocks_of
from pipeline.common.runs import true_runs
from pipeline.common.tables import read_table, read_text
from pipeline.errors import UserError

Gaps = npt.NDArray[np.int64]

LONGEST_S = 0.5
"""Longest run of zeros that is a gap. A longer one is taken for digital silence: networks rarely lose more
in a row, and a longer gap cannot be predicted."""

NO_GAPS: Gaps = np.zeros((0, 2), np.int64)


def gaps_of_trace(path: Path, packet_s: float, sample_rate: int, length: int) -> Gaps:
    """Read a packet trace: a 0 for each packet that arrived, a 1 for each that was lost, in order of time.

    Entries are separated by blanks, commas or lines. Entries past the end of the recording are ignored, and
    packets after the end of the trace count as received.

    Args:
        path: text file.
        packet_s: length of a packet in seconds.
        sample_rate: in Hz.
        length: samples of the recording.

    Returns:
        The gaps (G, 2).

    Raises:
        UserError: the file is empty or holds other entries.
    """
    try:
        entries = read_text(path).replace(",", " ").split()
    except ValueError as problem:
        raise UserError(f"{path}: not a trace of packets ({problem})") from None
    wrong = next((entry for entry in entries if entry not in ("0", "1")), None)
    if wrong is not None or not entries:
        found = f"holds {wrong[:20]!r}" if wrong is not None else "is empty"
        raise UserError(f"{path}: {found}; a trace has a 0 (arrived) or a 1 (lost) for every packet")
    lost = np.flatnonzero(np.array(entries) == "1")
    return merged(np.rint(np.stack([lost, lost + 1], 1) * packet_s * sample_rate), length)


def gaps_of_table(path: Path, sample_rate: int, length: int) -> Gaps:
    """Read a CSV table of gaps with the columns `start_s` and `end_s`, in any order.

    Overlapping gaps are merged, and parts outside of the recording are ignored.

    Args:
        path: CSV file.
        sample_rate: in Hz.
        length: samples of the recording.

    Returns:
        The gaps (G, 2).

    Raises:
        UserError: a column is missing, or a line is not a positive stretch of time.
    """
    rows = read_table(path, ["start_s", "end_s"], empty_allowed=True)
    seconds = [_stretch(place, row["start_s"], row["end_s"]) for place, row in rows]
    return merged(np.rint(np.array(seconds).reshape(-1, 2) * sample_rate), length)


def _stretch(place: str, start: str, end: str) -> tuple[float, float]:
    try:
        stretch = float(start), float(end)
    except ValueError:
        raise UserError(f"{place}: start_s and end_s must be seconds") from None
    if not 0 <= stretch[0] < stretch[1] < math.inf:
        raise UserError(f"{place}: give 0 <= start_s < end_s, not {start} to {end}")
    return stretch


def zero_runs(samples: Sound, sample_rate: int, shortest_s: float, longest_s: float = LONGEST_S) -> Gaps:
    """Return the runs of zeros that last ``shortest_s`` to ``longest_s`` seconds between other samples.

    Zeros at the beginning or the end of a recording are silence, and so is a recording of zeros only.

    Args:
        samples: int16 samples (N,), in memory or in a file.
        sample_rate: in Hz.
        shortest_s: shortest run in seconds, at least two samples.
        longest_s: longest run in seconds.

    Returns:
        The gaps (G, 2).
    """
    runs = _runs_of_zeros(samples)
    duration = runs[:, 1] - runs[:, 0]
    inside = (runs[:, 0] > 0) & (runs[:, 1] < len(samples))
    long_enough = duration >= max(2, shortest_s * sample_rate)
    return runs[inside & long_enough & (duration <= longest_s * sample_rate)]


def _runs_of_zeros(samples: Sound) -> Gaps:
    """Return all runs of zeros (R, 2); one that reaches over the edge of a block is one run."""
    found, place = [NO_GAPS], 0
    for block in blocks_of(samples):
        runs = np.stack(true_runs(block == 0), 1) + place
        last = found[-1]
        if len(runs) and len(last) and runs[0, 0] == last[-1, 1] == place:
            last[-1, 1] = runs[0, 1]
            runs = runs[1:]
        if len(runs):
            found.append(runs)
        place += len(block)
    return np.concatenate(found)


def merged(stretches: npt.NDArray[np.generic], length: int) -> Gaps:
    """Return stretches of samples as gaps, in order and merged where they overlap or touch.

    Args:
        stretches: (G, 2), the first and the last sample + 1 of each, in any order.
        length: samples of the recording; parts outside are removed.

    Example:
        >>> import numpy as np
        >>> merged(np.array([[40, 60], [0, 10], [10, 20], [95, 120]]), length=100).tolist()
        [[0, 20], [40, 60], [95, 100]]
    """
    inside = np.clip(stretches.astype(np.int64).reshape(-1, 2), 0, length)
    inside = inside[inside[:, 0] < inside[:, 1]]
    if not len(inside):
        return NO_GAPS
    inside = inside[np.argsort(inside[:, 0], kind="stable")]
    reach = np.maximum.accumulate(inside[:, 1])
    first = np.flatnonzero(np.concatenate([[True], inside[1:, 0] > reach[:-1]]))
    return np.stack([inside[first, 0], reach[np.append(first[1:], len(inside)) - 1]], 1)


def random_losses(length: int, packet: int, share: float, spared: int, seed: int) -> Gaps:
    """Draw packet losses, each independent of the others.

    Consecutive lost packets are one gap. A shorter packet at the end is never lost.

    Args:
        length: samples of the recording.
        packet: samples of a packet.
        share: probability of a loss.
        spared: packets that begin before this sample are never lost.
        seed: seed of the draws.

    Returns:
        The gaps (G, 2).
    """
    lost = np.random.default_rng(seed).random(length // packet) < share
    lost[: -(-spared // packet)] = False
    first = np.flatnonzero(lost) * packet
    return merged(np.stack([first, first + packet], 1), length)


def gap_mask(gaps: Gaps, length: int) -> npt.NDArray[np.bool_]:
    """Return a mask (length,) of the samples that lie in a gap.

    Args:
        gaps: (G, 2), of `merged`.
        length: samples of the recording.

    Example:
        >>> import numpy as np
        >>> gap_mask(np.array([[1, 3]]), length=5).tolist()
        [False, True, True, False, False]
    """
    edges = np.zeros(length + 1, np.int8)
    edges[gaps[:, 0]], edges[gaps[:, 1]] = 1, -1
    return np.cumsum(edges[:-1], dtype=np.int8).astype(np.bool_)
