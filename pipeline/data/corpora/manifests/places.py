"""Files that a manifest names: where they lie, whatever the names are relative to."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.common.files import absolute

LEVELS_ABOVE = 4
USUAL_FOLDERS = ("clips", "wavs", "wav", "audio", "recordings", "data", "audios")
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".sph")
ADDRESS = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_PLACEHOLDER = re.compile(r"^(?:\$\{?\w+\}?|\{\w+\})/")  # SpeechBrain's $data_root/ and {data_root}/


class Places:
    """The folders in which a manifest's files are looked for, in order.

    An absolute name is tried as it stands, with ``~`` expanded. Others are tried below ``first`` (folders
    of the format), the manifest's folder, the usual folders in it (``clips/``, ``wavs/``, ...), the
    `LEVELS_ABOVE` folders above it, and the working directory. An absolute name that is not there is
    tried by its last parts, the longest first, since corpora move. A name without a suffix is tried with
    those of sound.
    """

    def __init__(self, folder: Path, first: Sequence[Path] = ()) -> None:
        self.folder = absolute(folder)
        beside = [self.folder / name for name in USUAL_FOLDERS if (self.folder / name).is_dir()]
        above = list(self.folder.parents[:LEVELS_ABOVE])
        self._bases = [*first, self.folder, *beside, *above, absolute(Path())]
        self._last: tuple[str, Path | None] = "", None
        self._moved = [*first, self.folder, *beside, *above[:2]]

    def find(self, name: str) -> Path | None:
        """Return the file that ``name`` means; None where it is nowhere."""
        if name == self._last[0]:
            return self._last[1]  # the segments of a file follow each other
        found = self._found(_PLACEHOLDER.sub("", name.strip()))
        self._last = name, found
        return found

    def _found(self, name: str) -> Path | None:
        path = Path(name)
        if name.startswith("~"):
            try:
                path = path.expanduser()
            except RuntimeError:
                return None
        found = next((there for base in self._bases if (there := _file(base / path))), None)
        if found is None and path.is_absolute():
            found = self._by_its_end(path)
        return absolute(found) if found else None

    def unfound(self, name: str) -> Path:
        """Return the path to name in messages for a file that is nowhere."""
        return absolute(self.folder / name.strip().replace("\0", ""))

    def _by_its_end(self, path: Path) -> Path | None:
        parts = path.parts[1:]
        for first in range(1, len(parts)):
            end = Path(*parts[first:])
            bases = self._moved if len(end.parts) > 1 else self._moved[:-2]
            found = next((there for base in bases if (there := _file(base / end))), None)
            if found is not None:
                return found
        return None


def _file(path: Path) -> Path | None:
    try:
        if path.is_file():
            return path
        if not path.suffix:
            return next(
                (there for suffix in SUFFIXES if (there := path.with_name(path.name + suffix)).is_file()),
                None,
            )
    except (OSError, ValueError):  # a name that no file system has: too long, zero bytes
        pass
    return None
