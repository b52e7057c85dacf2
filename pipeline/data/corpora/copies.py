"""Temporary copies of what a file holds, for parts that cannot be read from the file itself.

A segment of an MP3 costs the decoding of all before it, and a row of a parquet file that of its row group. So
the file is unpacked once, and its other parts are read from the copy. A process keeps the last few.
"""

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = 2


class Copies:
    """Folders of unpacked files, made once for each key; unused ones beyond `KEPT` are removed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: OrderedDict[object, _Copy] = OrderedDict()

    @contextmanager
    def folder(self, key: object, unpack: Callable[[Path], None]) -> Iterator[Path]:
        """Yield the folder that ``unpack`` filled for ``key``; it stays while the block runs.

        Args:
            key: what the copy is of; equal keys share one.
            unpack: fills an empty folder. What it raises is raised here, and the next call tries again.
        """
        with self._lock:
            copy = self._copies.setdefault(key, _Copy())
            self._copies.move_to_end(key)
            copy.users += 1
        try:
            yield copy.filled(unpack)
        finally:
            with self._lock:
                copy.users -= 1
                self._trim()

    def _trim(self) -> None:
        unused = [key for key, copy in self._copies.items() if not copy.users]
        for key in unused[: max(0, len(self._copies) - KEPT)]:
            self._copies.pop(key).remove()


class _Copy:
    def __init__(self) -> None:
        self.users = 0
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def filled(self, unpack: Callable[[Path], None]) -> Path:
        with self._lock:
            if self._folder is None:
                folder = tempfile.TemporaryDirectory(prefix="wavecast-")
                try:
                    unpack(Path(folder.name))
                except BaseException:
                    folder.cleanup()
                    raise
                self._folder = folder
            return Path(self._folder.name)

    def remove(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
