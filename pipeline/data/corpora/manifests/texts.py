"""Text of manifests, plain or gzipped, and values of JSON, with limits on what a damaged file can cost."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from pipeline.errors import UserError

HEAD_BYTES = 1 << 14
MAX_LINE_BYTES = 1 << 26
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}


def head_of(path: Path) -> str | None:
    """Return the beginning of a text, in whole lines where there are several; None for what is no text."""
    try:
        with _opened(path) as file:
            head = file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return None
    text = _decoded(head, _coding(head))
    return None if text is None else text[: text.rfind("\n") + 1] or text


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not blank, one at a time.

    Raises:
        UserError: the file cannot be read to its end, or a line is longer than 64 MiB.
    """
    number = 0
    try:
        with _opened(path) as file:
            coding = _coding(file.peek(4)[:4])
            if coding != "utf-8":
                # Excel's "Unicode text": a line's end is of two bytes.
                for number, line in enumerate((_decoded(file.read(), coding) or "").splitlines(), 1):
                    if line.strip():
                        yield number, line
                return
            while raw := file.readline(MAX_LINE_BYTES):
                number += 1
                if len(raw) == MAX_LINE_BYTES:
                    raise UserError(f"{path}, line {number}: longer than {MAX_LINE_BYTES >> 20} MiB")
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                line = raw.decode(errors="surrogateescape").rstrip("\r\n")
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(f"{path}: cannot be read after line {number} ({reason})") from None


def json_of(text: str) -> Any:
    """Return the value of a JSON text; raises `ValueError` for any that is damaged, nested or large."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise ValueError(f"{problem.msg} at column {problem.colno}") from None
    except ValueError:
        raise ValueError("a number of too many digits") from None


def json_in(path: Path) -> Any:
    """Return the value of a JSON file; raises `UserError` with the line of what is wrong."""
    text = "\n".join(line for _, line in lines_of(path))
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{path}: JSON that is nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise UserError(f"{path}, line {problem.lineno}: not JSON ({problem.msg})") from None
    except ValueError:
        raise UserError(f"{path}: not JSON (a number of too many digits)") from None


def _opened(path: Path) -> BufferedReader:
    file = path.open("rb")
    if file.peek(2)[:2] != b"\x1f\x8b":
        return file
    return cast(BufferedReader, _ClosingGzip(file))


class _ClosingGzip(gzip.GzipFile):
    """A gzip reader that closes the file below it."""

    def __init__(self, below: BufferedReader) -> None:
        self._below = below
        super().__init__(fileobj=below)

    def close(self) -> None:
        super().close()
        self._below.close()


def _coding(head: bytes) -> str:
    return next((coding for bom, coding in _BOMS.items() if head.startswith(bom)), "utf-8")


def _decoded(raw: bytes, coding: str) -> str | None:
    first, few = raw.partition(b"\n")[0], max(3, len(raw) // 100)
    if coding == "utf-8" and (_CONTROL.search(first) or len(_CONTROL.findall(raw)) > few):
        return None
    text = raw.decode(coding, errors="surrogateescape" if coding == "utf-8" else "replace")
    return text.removeprefix("\ufeff")
