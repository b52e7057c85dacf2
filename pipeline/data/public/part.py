"""A file that was downloaded in part, and the continuation of its download."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from pipeline.common.files import read_json, write_json
from pipeline.data.public.answers import Interrupted, Patience, Unavailable, open_answer
from pipeline.errors import UserError

PIECE_BYTES = 1 << 18
MOST_NOTE_BYTES = 1 << 16
Advance = Callable[[int, int | None], None]
"""Called with the bytes that are there, and with the size of the file where it is known."""


@dataclass(frozen=True)
class Part:
    """The first bytes of a file, and beside them which version of the file at which address they are of.

    Attributes:
        path: of the bytes.
        bytes: size of the whole file, None where it is not known.
        most_bytes: size that the file may not exceed.
        hash_known: whether the whole file is checked later: then another address may continue the bytes.
    """

    path: Path
    bytes: int | None
    most_bytes: int
    hash_known: bool

    @property
    def note(self) -> Path:
        """Return the path of the note about the version."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Return the number of bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Delete the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def continue_from(self, address: str, patience: Patience, advance: Advance) -> None:
        """Request the missing bytes once, and append them; start anew where the server has another version.

        Raises:
            Unavailable: the address does not deliver this file.
            Interrupted: bytes are still missing.
        """
        if self.bytes is not None and self.size == self.bytes:
            return
        with open_answer(address, self._request_headers(address), patience) as answer:
            if answer.status_code == 416:
                self._end_of_range(answer)
                return
            total = self._begin(answer, address)
            self._append(answer, total, patience, advance)
        if total is not None and self.size < total:
            raise Interrupted(f"the answer ended after {self.size:,} of {total:,} bytes")

    def _request_headers(self, address: str) -> dict[str, str]:
        """Return the headers that ask for the missing bytes of the same version."""
        if self.size > self.most_bytes:
            self.discard()
        if not self.size:
            return {}
        noted = _read_note(self.note)
        validator = noted.get("validator") if noted.get("address") == address else None
        if validator:
            return {"Range": f"bytes={self.size}-", "If-Range": validator}
        if self.hash_known:
            return {"Range": f"bytes={self.size}-"}
        self.discard()
        return {}

    def _end_of_range(self, answer: requests.Response) -> None:
        """Accept the bytes where the server states that there are no more; else discard them."""
        if answer.headers.get("content-range", "") == f"bytes */{self.size}":
            return
        self.discard()
        raise Interrupted("the file on the server is shorter than what was downloaded; it is downloaded anew")

    def _begin(self, answer: requests.Response, address: str) -> int | None:
        """Check the size that an answer states, and note its version; return the size of the whole file."""
        if "text/html" in answer.headers.get("content-type", ""):
            raise Unavailable("the server answers with a web page")
        length = answer.headers.get("content-length", "")
        if answer.status_code == 206:
            stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", ""))
            if stated is None or int(stated[1]) != self.size:
                raise Unavailable("the server answers with other bytes than requested")
            total = int(stated[2]) if stated[2] != "*" else self.bytes
        else:
            total = int(length) if length.isdecimal() else self.bytes
        if total is not None and total != (self.bytes or total):
            raise Unavailable(f"the file there has {total:,} bytes, not {self.bytes:,}")
        if total is not None and total > self.most_bytes:
            raise Unavailable(f"the file there has {total:,} bytes, more than {self.most_bytes:,}")
        if answer.status_code == 200:  # the whole file: no range was asked for, or it is outdated
            self.discard()
        write_json(self.note, {"address": address, "validator": _validator(answer)})
        return total

    def _append(
        self, answer: requests.Response, total: int | None, patience: Patience, advance: Advance
    ) -> None:
        """Append the body of an answer, until its end or until it is too long or too slow."""
        began, counted, start = time.monotonic(), 0, self.size
        size = start
        with self.path.open("ab") as file:
            while piece := _next_piece(answer, patience):
                size += len(piece)
                if size > (total or self.most_bytes):
                    file.truncate(start)
                    raise Unavailable(f"the answer is longer than {total or self.most_bytes:,} bytes")
                _write(file.fileno(), piece, self.path)
                advance(size, total)
                counted, spent = counted + len(piece), time.monotonic() - began
                if spent > patience.slow_seconds:
                    if counted < patience.slowest_bytes * spent:
                        raise Unavailable(f"slower than {patience.slowest_bytes:g} bytes a second")
                    began, counted = time.monotonic(), 0


def _next_piece(answer: requests.Response, patience: Patience) -> bytes:
    """Return the bytes that have arrived, empty at the end; they are not decompressed."""
    try:
        return bytes(answer.raw.read1(PIECE_BYTES, decode_content=False) or b"")
    except urllib3.exceptions.ReadTimeoutError:
        raise Interrupted(f"no byte within {patience.stall_seconds:g} s") from None
    except (urllib3.exceptions.HTTPError, OSError):
        raise Interrupted("the connection was cut") from None


def _write(descriptor: int, piece: bytes, path: Path) -> None:
    """Write a piece without a buffer, so that a killed process has lost nothing; an error names the file."""
    left = memoryview(piece)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from None


def _validator(answer: requests.Response) -> str | None:
    """Return what `If-Range` needs to name this version: a strong entity tag, or the time of change."""
    tag = answer.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("last-modified")


def _read_note(path: Path) -> dict[str, str | None]:
    """Return the note about a version; empty where there is none or it is damaged."""
    try:
        noted: dict[str, str | None] = read_json(
            path, "note about a download", dict[str, str | None], most_bytes=MOST_NOTE_BYTES
        )
    except UserError:
        return {}
    return noted
