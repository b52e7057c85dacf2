"""The manifest of a corpus: for each recording one line of JSON, its facts, or why it was rejected."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.audio.readers import open_file
from pipeline.common.files import atomic_path
from pipeline.common.hashing import digest_stream
from pipeline.config.places import AnyPlace
from pipeline.config.types import Split
from pipeline.errors import UserError


class Recording(BaseModel):
    """One recording; facts that are not known are None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: AnyPlace
    content_hash: str | None = None
    """SHA-256 of the file's bytes, hexadecimal."""
    audio_hash: str | None = None
    """SHA-256 of the int16 samples after conversion: equal for equal sound in other containers."""
    sample_rate: int | None = None
    """Of the file, in Hz."""
    channels: int | None = None
    frames: int | None = None
    """As the file's header gives them."""
    container: str | None = None
    encoding: str | None = None
    samples: int | None = None
    """Mono samples after conversion."""
    seconds: float | None = None
    peak: float | None = None
    """Largest magnitude before clipping, 1 being full scale."""
    group: str | None = None
    split: Split | None = None
    notes: tuple[str, ...] = ()
    refused: str | None = None
    """Why the recording cannot be used; None where it can."""


def content_hash(path: Path) -> str:
    """Return the SHA-256 of ``path``, hexadecimal, read in pieces; raises `RecordingRejected`."""
    with open_file(path) as file:
        return digest_stream(file)


def write_manifest(path: Path, records: Iterable[Recording]) -> None:
    """Write one JSON object a line, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        # json escapes what is not ASCII, so that even a file name that is not UTF-8 survives.
        file.writelines(json.dumps(record.model_dump(), default=str) + "\n" for record in records)


def read_manifest(path: Path) -> list[Recording]:
    """Read what `write_manifest` wrote; raises `UserError` naming the line that is wrong."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such manifest") from None
    except (OSError, ValueError) as problem:
        raise UserError(f"{path}: not a readable manifest ({problem})") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            records.append(Recording(**fields))
        except (ValueError, KeyError, TypeError):  # pydantic's ValidationError is a ValueError
            raise UserError(f"{path}, line {number}: not a manifest record; prepare again") from None
    return records
