"""One piece of sound that may become a recording of the data set: where it lies, whose it is, its split."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.common.places import Place
from pipeline.config.types import Split


@dataclass(frozen=True)
class Source:
    """One recording as a corpus names it, before it is opened.

    Attributes:
        path: the file.
        group: whose recording it is; None makes it a group by itself.
        split: the split that the corpus gives it; None where it is to be drawn.
        start_seconds: where in the file the recording begins.
        seconds: its duration; None means to the end of the file.
        row: its row in a table that holds the sound itself (parquet); None for a file of its own.
        name: what the corpus calls a part of a file; None for a whole file.
        channel: the only channel that is used, from 0 on; None averages all.
        reason: why the recording cannot be used, where that is known before it is opened.
    """

    path: Place
    group: str | None
    split: Split | None
    start_seconds: float = 0.0
    seconds: float | None = None
    row: int | None = None
    name: str | None = None
    channel: int | None = None
    reason: str | None = None

    @property
    def here(self) -> Path:
        """The path of a source whose file lies on this machine."""
        assert isinstance(self.path, Path)
        return self.path

    @property
    def whole(self) -> bool:
        """Whether the recording is all of its file."""
        return self.row is None and self.channel is None and not self.start_seconds and self.seconds is None

    @property
    def label(self) -> str:
        """The file's path, and what names the part of it, as the manifest shows it."""
        named = self.name or self.part
        return f"{self.path}#{named}" if named else str(self.path)

    @property
    def part(self) -> str:
        """The part of the file, in a form that is equal for equal parts; empty for a whole file."""
        parts = [] if self.row is None else [f"row {self.row}"]
        if self.channel is not None:
            parts.append(f"channel {self.channel}")
        if self.start_seconds or self.seconds is not None:
            end = "" if self.seconds is None else f"{self.start_seconds + self.seconds:.6f}"
            parts.append(f"{self.start_seconds:.6f}-{end}")
        return " ".join(parts)

    def key(self, content_hash: str) -> str:
        """Return what the recording is stored under, given the hash of its file's bytes."""
        return content_hash if self.whole else f"{content_hash}@{self.part}"
