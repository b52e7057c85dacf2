"""Disk space that a preparation needs, estimated from headers before anything is converted."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.common.places import is_remote
from pipeline.common.text import duration
from pipeline.data.corpora.opening import open_source
from pipeline.data.corpora.source import Source
from pipeline.data.preparing.planning import Stretch
from pipeline.data.store.disk import free_bytes, require_space
from pipeline.errors import RecordingRejected, print_notice
from pipeline.features.representation import SoundRepresentation

MOST_HEADERS = 256
"""Headers that are read; of more recordings, as many are taken at equal distances."""
MOST_GROWTH = 64
"""Bytes of 16-bit samples for each of a file, of speech coded at 4 kbit/s. Silence has hundreds."""
NOTED_GROWTH, NOTED_BYTES = 32, 1 << 28
"""Rows that are larger than both, the one relative to the files, are announced."""


def require_space_for_rows(
    folders: Sequence[Path], stretches: Sequence[Stretch], sound: SoundRepresentation
) -> None:
    """Check that the rows of what is to be converted fit on the disks, and announce unusually many.

    Headers of remote recordings are read only where the files suggest that the disk is too small.

    Args:
        folders: where rows are written.
        stretches: the plan.
        sound: the representation of the rows.

    Raises:
        UserError: they do not fit.
    """
    bytes_per_second = sound.row_rate_hz * sound.row_width * sound.row_dtype.itemsize
    widening = max(1.0, bytes_per_second / 32_000)
    packed = sum(stretch.bytes for stretch in stretches)
    sources = [item.source for stretch in stretches if stretch.shard for item in stretch.shard.items]
    remote = any(is_remote(source.path) for source in sources)
    if remote and packed * MOST_GROWTH * widening < max(map(free_bytes, folders)):
        return
    seconds = _estimated_seconds(sources)
    needed = round(seconds * bytes_per_second)
    require_space(folders[0], needed, f"the conversion of {len(sources):,} recordings", folders[1:])
    if needed > max(NOTED_BYTES, NOTED_GROWTH * packed * widening):
        print_notice(
            f"files of {packed / 1e6:,.1f} MB hold {duration(seconds)} of sound: "
            f"about {needed / 1e9:,.2f} GB of rows are written below {', '.join(map(str, folders))}"
        )


def _estimated_seconds(sources: Sequence[Source]) -> float:
    """Return the duration of all sources, scaled from those whose headers are read."""
    spacing = max(1, -(-len(sources) // MOST_HEADERS))
    durations = [found for source in sources[::spacing] if (found := _seconds(source)) is not None]
    return sum(durations) / len(durations) * len(sources) if durations else 0.0


def _seconds(source: Source) -> float | None:
    """Return the duration in a header, 0 for a recording that cannot be used, None where none is given."""
    if source.seconds is not None:
        return source.seconds
    try:
        with open_source(source) as recording:
            info = recording.info
            return None if info.frames is None else info.frames / info.sample_rate
    except (RecordingRejected, OSError):
        return 0.0
