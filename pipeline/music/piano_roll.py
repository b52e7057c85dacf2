"""Sequences of notes from files: a MIDI file is one, a set in .mat or .npz holds many, with their splits.

The sets are laid out as the four of Boulanger-Lewandowski et al. (2012) usually come: in MATLAB's format as
cells `traindata`, `validdata`, `testdata` of matrices (T, 88); in NumPy's as `train_rolls` (all sequences one
after the other) and `train_lengths`, and so on. The kind is detected by a file's first bytes, not by its
name, and nothing that a file holds is ever run: no pickle is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from zipfile import ZipInfo

import numpy as np

from pipeline.audio.readers import open_file
from pipeline.config.types import SPLITS, Split
from pipeline.errors import RecordingRejected
from pipeline.music.matlab import read_cells
from pipeline.music.midi import KEYS, Roll, read_midi

Kind = Literal["MIDI", "MATLAB", "NumPy"]
FIRST_BYTES: dict[Kind, bytes] = {"MIDI": b"MThd", "MATLAB": b"MATLAB", "NumPy": b"PK\x03\x04"}
HDF5_MATLAB = b"MATLAB 7.3"
MOST_PACKED_BYTES = 1 << 28
MOST_UNPACKED_BYTES = 1 << 29
"""Of all variables of a set. The largest published set has 180 MB, as numbers of 8 bytes."""
MOST_MEMBERS = 1_000
SHOWN_OF_REASON = 120


@dataclass(frozen=True)
class NoteSequence:
    """One sequence of notes.

    Attributes:
        name: within its file, such as `train-012`; empty where the file is the sequence.
        split: as the file gives it, or None.
        notes: (T, 88) uint8, 0 or 1, T > 0; column k is MIDI pitch 21 + k.
        remarks: harmless oddities of the file, a line each.
    """

    name: str
    split: Split | None
    notes: Roll
    remarks: tuple[str, ...] = ()


def read_sequences(path: Path, steps_per_quarter: int) -> list[NoteSequence]:
    """Return all sequences of a file, in its order.

    One bad sequence rejects its whole set: figures on the rest would not be comparable with published ones.

    Args:
        path: a MIDI file, or a set in .mat or .npz.
        steps_per_quarter: grid of a MIDI file; a set has its own.

    Raises:
        RecordingRejected: the file or a sequence in it cannot be used.
    """
    kind = kind_of(path)
    with open_file(path) as file:
        if kind == "MIDI":
            notes, remarks = read_midi(file, steps_per_quarter)
            return [NoteSequence("", None, notes, remarks)]
        found = list((_matlab_set if kind == "MATLAB" else _numpy_set)(file))
    if not found:
        raise RecordingRejected("no-notes", "a set without sequences")
    return found


def read_sequence(path: Path, steps_per_quarter: int) -> NoteSequence:
    """Return one sequence.

    Args:
        path: a MIDI file, or `FILE#NAME` for a sequence of a set.
        steps_per_quarter: grid of a MIDI file; a set has its own.

    Raises:
        RecordingRejected: the file cannot be used, or the name does not select a sequence.
    """
    file, mark, name = str(path).rpartition("#")
    if not mark or path.exists():
        file, name = str(path), ""
    found = read_sequences(Path(file), steps_per_quarter)
    if not name and len(found) > 1:
        raise RecordingRejected(
            "sequence-name", f"a set of {len(found)} sequences: name one, as in {path}#{found[-1].name}"
        )
    for sequence in found:
        if name in ("", sequence.name):
            return sequence
    raise RecordingRejected(
        "sequence-name", f"no sequence {name!r} among {found[0].name} to {found[-1].name}"
    )


def kind_of(path: Path) -> Kind:
    """Return the kind of a file, by its first bytes.

    Raises:
        RecordingRejected: the file cannot be read, or is of another kind.
    """
    with open_file(path) as file:
        head = file.read(16)
    if head.startswith(HDF5_MATLAB):
        raise RecordingRejected(
            "not-notes", "a MATLAB file of version 7.3: save it anew with save(..., '-v7')"
        )
    if head.startswith(b"RIFF") and head[8:12] == b"RMID":
        return "MIDI"
    for kind, first_bytes in FIRST_BYTES.items():
        if head.startswith(first_bytes):
            return kind
    raise RecordingRejected("not-notes", "neither a MIDI file nor a set of piano rolls in .mat or .npz")


def _matlab_set(file: IO[bytes]) -> Iterator[NoteSequence]:
    variables = [f"{split}data" for split in SPLITS]
    try:
        content = read_cells(_limited(file), variables, MOST_UNPACKED_BYTES)
    except ValueError as problem:
        raise _unreadable("MATLAB", problem) from None
    _require_any(variables, content)
    for split, variable in zip(SPLITS, variables, strict=True):
        cells = content.get(variable, [])
        if cells is None:
            raise RecordingRejected("not-notes", f"{variable} is not a cell array of piano rolls")
        for index, cell in enumerate(cells):
            name = _name(split, index)
            yield NoteSequence(name, split, _roll(cell, name))


def _numpy_set(file: IO[bytes]) -> Iterator[NoteSequence]:
    variables = [f"{split}_{what}" for split in SPLITS for what in ("rolls", "lengths")]
    try:
        with np.load(file, allow_pickle=False) as archive:
            members = archive.zip.infolist()
            _check_sizes(members)
            content = {name: archive[name] for name in archive.files if name in variables}
    except RecordingRejected:
        raise
    except Exception as problem:  # a damaged file may raise anything
        raise _unreadable("NumPy", problem) from None
    _require_any(variables, content)
    for name, value in content.items():
        if not isinstance(value, np.ndarray):
            raise RecordingRejected("not-notes", f"{name} is no array of NumPy's")
    for split in SPLITS:
        if not content.keys() & {f"{split}_rolls", f"{split}_lengths"}:
            continue
        rolls, lengths = (content.get(f"{split}_{what}", np.empty(0)) for what in ("rolls", "lengths"))
        whole = lengths.dtype.kind in "iu" and lengths.ndim == 1 and rolls.ndim == 2
        if not whole or (len(lengths) and lengths.min() < 1) or lengths.sum(dtype=np.int64) != len(rolls):
            raise RecordingRejected(
                "not-notes", f"{split}_lengths do not divide {split}_rolls into sequences"
            )
        if len(lengths):
            pieces = np.split(_roll(rolls, f"{split}_rolls"), np.cumsum(lengths)[:-1])
            yield from (NoteSequence(_name(split, i), split, notes) for i, notes in enumerate(pieces))


def _limited(file: IO[bytes]) -> bytes:
    """Return the content of a file that is not too large for a set."""
    data = file.read(MOST_PACKED_BYTES + 1)
    if len(data) > MOST_PACKED_BYTES:
        raise _too_large(f"more than {MOST_PACKED_BYTES >> 20} MiB")
    return data


def _check_sizes(members: Sequence[ZipInfo]) -> None:
    """Raise `RecordingRejected` for an archive that would fill the memory."""
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED_BYTES or len(members) > MOST_MEMBERS:
        raise _too_large(f"{len(members)} members of {unpacked >> 20} MiB when unpacked")


def _too_large(size: str) -> RecordingRejected:
    return RecordingRejected("too-long", f"a set too large for piano rolls ({size}): split it")


def _name(split: Split, index: int) -> str:
    return f"{split}-{index:03d}"


def _roll(values: Any, name: str) -> Roll:
    """Return a table of any dtype as a roll; raises `RecordingRejected` where it is none."""
    table = np.asarray(values)
    if table.dtype.kind not in "biuf":
        raise RecordingRejected("not-notes", f"{name} holds {table.dtype}, not a table of numbers")
    if table.ndim != 2 or table.shape[1] != KEYS or not len(table):
        raise RecordingRejected(
            "not-notes", f"{name} has shape {table.shape}; a piano roll has (steps, {KEYS}), MIDI 21-108"
        )
    if not ((table == 0) | (table == 1)).all():
        raise RecordingRejected("not-notes", f"{name} holds values other than 0 and 1")
    return np.ascontiguousarray(table, np.uint8)


def _require_any(variables: list[str], content: Mapping[str, Any]) -> None:
    if not content.keys() & set(variables):
        raise RecordingRejected(
            "not-notes", f"a set of piano rolls has {', '.join(variables)}; none of them is in it"
        )


def _unreadable(kind: Kind, problem: Exception) -> RecordingRejected:
    return RecordingRejected(
        "damaged", f"a {kind} file that cannot be read ({' '.join(str(problem).split())[:SHOWN_OF_REASON]})"
    )
