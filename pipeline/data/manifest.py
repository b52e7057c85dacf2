"""The manifest of a corpus: for each recording one line of JSON, its facts, or why it was rejected."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.audio.readers import open_file
from pipeline.common.checked_lines import checked_line, read_checked_line
from pipeline.common.files import atomic_path
from pipeline.common.hashing import digest_stream
from pipeline.config.places import AnyPlace
from pipeline.config.types import Split
from pipeline.errors import UserError


class Part(BaseModel):
    """The part of a file that a recording is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: AnyPlace
    start_seconds: float = 0.0
    seconds: float | None = None
    """Duration; None means to the end of the file."""
    row: int | None = None
    """Row of a table that holds the sound itself."""
    name: str | None = None


class Recording(BaseModel):
    """One recording; facts that are not known are None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: AnyPlace
    content_hash: str | None = None
    """SHA-256 of the file's bytes, hexadecimal, with the part of the file that the recording is."""
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
    unused_bits: int | None = None
    """Lowest bits that are 0 in all 16-bit samples after conversion, as in sounds of 8 bits."""
    group: str | None = None
    split: Split | None = None
    layout: str | None = None
    """The layout of the corpus, or the rule that gave its groups."""
    notes: tuple[str, ...] = ()
    part: Part | None = None
    """None where the recording is a file of its own."""
    refused: str | None = None
    """Why the recording cannot be used; None where it can."""


def content_hash(path: Path) -> str:
    """Return the SHA-256 of ``path``, hexadecimal, read in pieces; raises `RecordingRejected`."""
    with open_file(path) as file:
        return digest_stream(file)


def write_manifest(path: Path, records: Iterable[Recording]) -> None:
    """Write one JSON object a line, with a checksum, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(checked_line(record.model_dump()) for record in records)


def read_manifest(path: Path) -> list[Recording]:
    """Read what `write_manifest` wrote; raises `UserError` naming the line that is wrong."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such manifest") from None
    except (OSError, ValueError) as problem:
        raise UserError(f"{path}: not a readable manifest ({problem})") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            fields = read_checked_line(line, required=False)
            records.append(Recording(**fields))
        except (ValueError, KeyError, TypeError):  # pydantic's ValidationError is a ValueError
            raise UserError(
                f"{path}, line {number}: not a manifest record (or damaged); prepare again"
            ) from None
    return records
