"""Where sound is missing: from a trace of packets, a table of seconds, or runs of zeros; losses by chance.

Gaps are an array (G, 2) of samples, first and one past the last: in order, inside the recording, and never
touching, since what touches is one gap.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.common.runs import true_runs
from pipeline.common.tables import read_table, read_text
from pipeline.errors import UserError

Gaps = npt.NDArray[np.int64]

LONGEST_S = 0.5
"""Zeros that go on for longer are silence that somebody put there: no network loses so much in a row and
leaves the rest in place, and nobody could guess what was said."""

NO_GAPS: Gaps = np.zeros((0, 2), np.int64)


def gaps_of_trace(path: Path, packet_s: float, sample_rate: int, length: int) -> Gaps:
    """Read a trace of packets: 0 for one that arrived, 1 for one that was lost, in the order of the sound.

    Entries are separated by blanks, commas or lines, and stand for ``packet_s`` seconds each. Those past the
    end of a recording of ``length`` samples are left out, and what the trace does not reach counts as there.
    Raises `UserError` for anything else in the file.
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
    """Read a CSV table with the columns `start_s` and `end_s`, a gap each line, in any order.

    Gaps that overlap become one; what lies outside of the recording is left out. Raises `UserError` for a
    table without these columns or a line that is not a stretch of time.
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


def zero_runs(
    samples: npt.NDArray[np.int16], sample_rate: int, shortest_s: float, longest_s: float = LONGEST_S
) -> Gaps:
    """Runs of samples (N,) that are exactly zero for ``shortest_s`` to ``longest_s``, sound on both sides.

    Zeros with which a recording begins or ends are its silence, and so is one that is all zeros.
    """
    runs = np.stack(true_runs(samples == 0), 1)
    duration = runs[:, 1] - runs[:, 0]
    inside = (runs[:, 0] > 0) & (runs[:, 1] < len(samples))
    long_enough = duration >= max(2, shortest_s * sample_rate)
    return runs[inside & long_enough & (duration <= longest_s * sample_rate)]


def merged(stretches: npt.NDArray[np.generic], length: int) -> Gaps:
    """Stretches (G, 2) in any order as gaps of a recording of ``length`` samples."""
    inside = np.clip(stretches.astype(np.int64).reshape(-1, 2), 0, length)
    inside = inside[inside[:, 0] < inside[:, 1]]
    if not len(inside):
        return NO_GAPS
    inside = inside[np.argsort(inside[:, 0], kind="stable")]
    reach = np.maximum.accumulate(inside[:, 1])
    first = np.flatnonzero(np.concatenate([[True], inside[1:, 0] > reach[:-1]]))
    return np.stack([inside[first, 0], reach[np.append(first[1:], len(inside)) - 1]], 1)


def random_losses(length: int, packet: int, share: float, spared: int, seed: int) -> Gaps:
    """Lose each packet of ``packet`` samples with the probability ``share``, independently of the others.

    Packets that begin before the sample ``spared``, and a shorter one at the end, always arrive. Packets lost
    in a row are one gap. The same seed loses the same ones.
    """
    lost = np.random.default_rng(seed).random(length // packet) < share
    lost[: -(-spared // packet)] = False
    first = np.flatnonzero(lost) * packet
    return merged(np.stack([first, first + packet], 1), length)


def gap_mask(gaps: Gaps, length: int) -> npt.NDArray[np.bool_]:
    """Which of ``length`` samples lie in a gap, (length,)."""
    edges = np.zeros(length + 1, np.int8)
    edges[gaps[:, 0]], edges[gaps[:, 1]] = 1, -1
    return np.cumsum(edges[:-1], dtype=np.int8).astype(np.bool_)
