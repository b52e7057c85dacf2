"""Concealment from file to file: location of the gaps, filled recording, and plot of the longest gaps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.decode import naming, open_decoding
from pipeline.audio.spooled import Sound, SpooledSamples, equal_blocks, in_memory
from pipeline.audio.write import check_output, open_sound
from pipeline.common.files import check_overwrite
from pipeline.concealment.fill import GapFiller, conceal_blocks
from pipeline.concealment.gaps import Gaps, gaps_of_table, gaps_of_trace, merged, zero_runs
from pipeline.errors import UserError
from pipeline.plots.figure import COLOURS, new_figure, plain_text, write_figure

SMEAR_S = 0.002
"""Duration beyond the edge of a gap over which a rate conversion smears it."""

CLOSE_UPS, MARGIN_S = 6, 0.03


@dataclass(frozen=True)
class GapSource:
    """Source of the positions of gaps: a packet trace, a table, or else runs of zeros.

    Attributes:
        trace: packet trace, see `gaps_of_trace`.
        table: table of gaps, see `gaps_of_table`.
        packet_s: length of a packet of the trace in seconds.
        shortest_s: length in seconds from which a run of zeros is a gap, see `zero_runs`.
    """

    trace: Path | None = None
    table: Path | None = None
    packet_s: float = 0.020
    shortest_s: float = 0.005

    def __post_init__(self) -> None:
        """Raise `UserError` where both sources are given or a length is not positive."""
        if self.trace is not None and self.table is not None:
            raise UserError("--loss-trace and --gaps cannot be combined; give one of them", 2)
        if not (0 < self.packet_s < np.inf and 0 < self.shortest_s < np.inf):
            raise UserError("packets and shortest gaps must be longer than 0 ms", 2)

    def find(self, own: Sound, own_rate: int, length: int, sample_rate: int) -> Gaps:
        """Return the gaps of a recording.

        Args:
            own: int16 samples (N,) at the recording's own rate. Runs of zeros are searched in these, since
                they do not remain zeros after a rate conversion.
            own_rate: the recording's own rate in Hz.
            length: samples of the recording at ``sample_rate``.
            sample_rate: rate in Hz at which gaps are counted.

        Raises:
            UserError: the trace or the table cannot be read.
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
    """Fill the gaps of a recording and write it as mono sound.

    Args:
        sound: sound file to read.
        output: sound file to write.
        source: source of the gaps' positions.
        how: extrapolation that fills the gaps.
        sample_rate: rate of the output in Hz; the recording's own where None.
        plot: picture of the longest gaps to write.
        overwrite: replace files that exist.
        on_gap: called after each gap.

    Returns:
        Paths, lengths and gaps, as values that can be written as JSON.

    Raises:
        RecordingRejected: the recording cannot be used.
        UserError: gaps cannot be read, or a file exists.
    """
    check_overwrite(output, overwrite)
    if plot is not None:
        check_overwrite(plot, overwrite)
    with naming(sound), open_decoding(sound) as recording:
        own_rate = recording.info.sample_rate
        rate = sample_rate or own_rate
        samples, own = recording.spool_both(rate, output)
    gaps = source.find(own, own_rate, len(samples), rate)
    check_output(output, overwrite)
    filled = None if plot is None else SpooledSamples.empty(output)
    with open_sound(output, rate) as write:
        for block in equal_blocks(conceal_blocks(samples, gaps, rate, how, on_gap)):
            write(block)
            if filled is not None:
                filled.append(block)
    if plot is not None and filled is not None:
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
    path: Path, received: Sound, filled: Sound, gaps: Gaps, sample_rate: int, title: str
) -> None:
    """Plot the longest gaps, at most six, in order of time, as received and as concealed."""
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
        axes.plot(
            milliseconds, in_memory(filled[begin:end]), color=COLOURS[0], linewidth=1.4, label="concealed"
        )
        axes.plot(
            milliseconds, in_memory(received[begin:end]), color=COLOURS[6], linewidth=0.7, label="received"
        )
        axes.set(xlabel=f"ms from {start / sample_rate:.3f} s", ylabel="sample")
        axes.margins(x=0)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2)
    figure.suptitle(plain_text(title), x=0.02, ha="left")
    write_figure(figure, path)
