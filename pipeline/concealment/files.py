"""Recordings with gaps: where the gaps of a file are, filled in, written, and seen close up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.decode import naming, open_decoding
from pipeline.audio.write import write_audio
from pipeline.common.files import check_overwrite
from pipeline.concealment.fill import GapFiller, Samples, conceal
from pipeline.concealment.gaps import Gaps, gaps_of_table, gaps_of_trace, merged, zero_runs
from pipeline.errors import UserError
from pipeline.plots.figure import COLOURS, new_figure, plain_text, write_figure

SMEAR_S = 0.002
"""So far does the edge of a gap ring into the sound beside it in a conversion to another rate."""

CLOSE_UPS, MARGIN_S = 6, 0.03


@dataclass(frozen=True)
class GapSource:
    """Where gaps are: in a trace of packets, in a table, or else where there are only zeros.

    Attributes:
        trace: see `gaps_of_trace`; its entries last ``packet_s``.
        table: see `gaps_of_table`.
        shortest_s: zeros of this duration or longer are a gap, see `zero_runs`.
    """

    trace: Path | None = None
    table: Path | None = None
    packet_s: float = 0.020
    shortest_s: float = 0.005

    def __post_init__(self) -> None:
        """Raises `UserError` for what cannot be."""
        if self.trace is not None and self.table is not None:
            raise UserError("gaps are in a trace or in a table: give one of --loss-trace and --gaps", 2)
        if not (0 < self.packet_s < np.inf and 0 < self.shortest_s < np.inf):
            raise UserError("packets and shortest gaps last more than 0 ms", 2)

    def find(self, own: Samples, own_rate: int, length: int, sample_rate: int) -> Gaps:
        """Return the gaps of a recording of ``length`` samples at ``sample_rate``.

        Zeros are looked for in what it holds at its own rate, ``own`` (N,): after a conversion to another
        they are none any more.
        """
        if self.trace is not None:
            gaps = gaps_of_trace(self.trace, self.packet_s, sample_rate, length)
        elif self.table is not None:
            gaps = gaps_of_table(self.table, sample_rate, length)
        else:
            found = zero_runs(own, own_rate, self.shortest_s)
            gaps = merged(np.rint(found * (sample_rate / own_rate)), length)
        smear = 0 if own_rate == sample_rate else round(SMEAR_S * sample_rate)
        return merged(gaps + np.array([-smear, smear]), length)


def conceal_file(
    sound: Path,
    output: Path,
    source: GapSource,
    how: GapFiller,
    sample_rate: int | None = None,
    *,
    plot: Path | None = None,
    overwrite: bool = False,
    on_gap: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Fill the gaps of a recording and write it as mono sound at ``sample_rate``, or else at its own rate.

    Returns facts for people and machines. Raises `RecordingRejected` where the recording cannot be used,
    `UserError` where gaps cannot be read or a file would be overwritten.
    """
    check_overwrite(output, overwrite)
    if plot is not None:
        check_overwrite(plot, overwrite)
    with naming(sound), open_decoding(sound) as recording:
        own_rate = recording.info.sample_rate
        rate = sample_rate or own_rate
        samples, own = recording.read_both(rate)
    gaps = source.find(own, own_rate, len(samples), rate)
    filled = conceal(samples, gaps, rate, how, on_gap)
    write_audio(output, filled, rate, overwrite)
    if plot is not None:
        concealment_picture(plot, samples, filled, gaps, rate, f"{sound.name}, concealed")
    durations = (gaps[:, 1] - gaps[:, 0]) / rate
    return {
        "recording": str(sound),
        "output": str(output),
        "plot": str(plot) if plot else None,
        "sample_rate": rate,
        "seconds": len(samples) / rate,
        "gaps": len(gaps),
        "concealed_seconds": float(durations.sum()),
        "longest_gap_seconds": float(durations.max(initial=0.0)),
        "gap_seconds": (gaps / rate).round(6).tolist(),
        "notes": list(recording.facts.notes),
    }


def concealment_picture(
    path: Path, received: Samples, filled: Samples, gaps: Gaps, sample_rate: int, title: str
) -> None:
    """Close-ups of the longest gaps, at most six, in order: what was received, and what was filled in."""
    longest = np.sort(np.argsort(gaps[:, 0] - gaps[:, 1], kind="stable")[:CLOSE_UPS])
    shown = gaps[longest] if len(gaps) else np.array([[0, 0]])
    rows = -(-len(shown) // 2)
    figure = new_figure(height_px=120 + 220 * rows)
    panels = figure.subplots(rows, 2 if len(shown) > 1 else 1, squeeze=False).ravel()
    margin = round(MARGIN_S * sample_rate)
    for axes, (start, stop) in zip(panels, shown, strict=False):
        begin, end = max(0, start - margin), min(len(filled), stop + margin)
        milliseconds = (np.arange(begin, end) - start) / sample_rate * 1000
        axes.axvspan(0, (stop - start) / sample_rate * 1000, color=COLOURS[5], alpha=0.15, linewidth=0)
        axes.plot(milliseconds, filled[begin:end], color=COLOURS[0], linewidth=1.4, label="concealed")
        axes.plot(milliseconds, received[begin:end], color=COLOURS[6], linewidth=0.7, label="received")
        axes.set(xlabel=f"ms from {start / sample_rate:.3f} s", ylabel="sample")
        axes.margins(x=0)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2)
    figure.suptitle(plain_text(title), x=0.02, ha="left")
    write_figure(figure, path)
