"""MIDI files to piano rolls and back, on a grid of equal parts of a quarter note.

A roll states which keys sound at each step, not which are struck: the same note twice without a silent step
between is one long note. Tempo, loudness, pedal and instruments are not represented. mido parses the files.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pipeline.common.files import atomic_path, check_overwrite
from pipeline.errors import RecordingRejected, UserError

Roll = npt.NDArray[np.uint8]
"""0 or 1, (T, 88): which keys sound at each step."""

LOWEST_PITCH, KEYS = 21, 88  # A0 to C8, the keys of a piano
DRUM_CHANNEL = 9  # the tenth: its notes are instruments, not pitches
VELOCITY = 80
MAX_STEPS = 1 << 20  # 36 hours at 8 steps a second; a longer claim is a damaged file
TICKS_PER_QUARTER = 480
SUFFIXES = (".mid", ".midi")
READ_SUFFIXES = (*SUFFIXES, ".kar", ".rmi")
MOST_BYTES = 1 << 21
"""Longest MIDI file. A parsed file takes 200 times its size in memory."""
LONGEST_WAIT = (1 << 28) - 1
"""Most ticks between two messages that MIDI's numbers of four bytes can state."""
LONGEST_QUARTER_US = (1 << 24) - 1  # of a MIDI file's tempo


@dataclass(frozen=True)
class Held:
    """A key held down in one track, from tick ``start`` to tick ``end``."""

    pitch: int
    channel: int
    start: int
    end: int


def read_midi(file: IO[bytes], steps_per_quarter: int) -> tuple[Roll, tuple[str, ...]]:
    """Read an open MIDI file as a piano roll, all tracks and instruments together.

    Beginnings and ends are moved to the nearest step, and every note lasts at least one. The roll ends with
    the longest track. Notes outside the 88 keys of a piano are left out.

    Args:
        file: a file open for reading bytes.
        steps_per_quarter: steps of the roll in a quarter note.

    Returns:
        The roll (T, 88), and one line for each kind of remark on what was left out or repaired.

    Raises:
        RecordingRejected: the file is damaged, is not timed by quarter notes, or has no notes.
    """
    tracks, ticks_per_quarter = _parsed(file)
    remarks: dict[str, int] = {}
    held: list[Held] = []
    last_tick = 0
    for track in tracks:
        notes, end = _held_notes(track, remarks)
        last_tick = max(last_tick, end)
        held += (note for note in notes if _is_key(note, remarks))
    if not held:
        raise RecordingRejected("no-notes", "no notes on the 88 keys of a piano" + _listed(remarks))
    # In whole numbers: the nearest step, halves upwards.
    spans = [[_step(tick, ticks_per_quarter, steps_per_quarter) for tick in (n.start, n.end)] for n in held]
    length = max(_step(last_tick, ticks_per_quarter, steps_per_quarter), *(first + 1 for first, _ in spans))
    if length > MAX_STEPS:
        raise RecordingRejected(
            "too-long", f"{length} steps long, more than {MAX_STEPS}: damaged, or to be split"
        )
    roll = np.zeros((length, KEYS), np.uint8)
    for note, (first, end) in zip(held, spans, strict=True):
        roll[first : max(end, first + 1), note.pitch - LOWEST_PITCH] = 1
    return roll, tuple(f"{count} {what}" for what, count in remarks.items())


def check_midi_output(path: Path, overwrite: bool = False) -> None:
    """Check, before any work, that notes can be written to a path.

    Args:
        path: the file to be written.
        overwrite: whether an existing file may be replaced.

    Raises:
        UserError: the path has no suffix of MIDI, or the file exists and may not be replaced.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: notes are written as MIDI; name it with one of {', '.join(SUFFIXES)}")
    check_overwrite(path, overwrite)


def write_midi(
    path: Path, roll: Roll, steps_per_quarter: int, quarters_per_minute: float, overwrite: bool = False
) -> None:
    """Write a piano roll as a MIDI file, from which `read_midi` reads the same roll.

    A key that sounds in consecutive steps is held. Parent folders are created.

    Args:
        path: the file to be written.
        roll: (T, 88), 0 or 1.
        steps_per_quarter: steps of the roll in a quarter note.
        quarters_per_minute: the tempo.
        overwrite: whether an existing file may be replaced.

    Raises:
        UserError: the path has another suffix, exists or cannot be written, or MIDI does not have the tempo.
    """
    import mido

    check_midi_output(path, overwrite)
    quarter_us = round(60e6 / quarters_per_minute)
    if not 0 < quarter_us <= LONGEST_QUARTER_US:
        raise UserError(f"{quarters_per_minute:g} quarter notes a minute: MIDI has 3.6 to 60,000,000", 2)
    step_ticks = max(1, TICKS_PER_QUARTER // steps_per_quarter)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=quarter_us)])
    track += _messages(roll, step_ticks)
    file = mido.MidiFile(type=0, ticks_per_beat=step_ticks * steps_per_quarter, tracks=[track])
    try:
        with atomic_path(path) as temporary:
            file.save(temporary)
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None


def _parsed(file: IO[bytes]) -> tuple[list[Any], int]:
    """Return the tracks of messages, and the ticks to a quarter note."""
    import mido

    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RecordingRejected("too-long", f"a MIDI file of more than {MOST_BYTES >> 20} MiB: split it")
    try:
        parsed = mido.MidiFile(file=io.BytesIO(_without_riff(data)), clip=True)
    except Exception as problem:  # a damaged file may raise anything
        raise RecordingRejected("damaged", f"damaged MIDI file ({_reason(problem)})") from None
    if parsed.type == 2:
        raise RecordingRejected(
            "midi-kind", "a MIDI file of type 2: its tracks are pieces of their own; save them apart"
        )
    if any(message.time > LONGEST_WAIT for track in parsed.tracks for message in track):
        raise RecordingRejected("damaged", "damaged MIDI file (a wait of more than four bytes)")
    if parsed.ticks_per_beat == 0:
        raise RecordingRejected("damaged", "damaged MIDI file (its quarter note has no length)")
    if parsed.ticks_per_beat < 0:
        raise RecordingRejected("midi-kind", "a MIDI file timed by seconds (SMPTE), not by quarter notes")
    return parsed.tracks, parsed.ticks_per_beat


def _without_riff(data: bytes) -> bytes:
    """Return the MIDI file in a RIFF file of the form RMID; other data are returned unchanged."""
    place = 12
    while data.startswith(b"RIFF") and len(data) - place >= 8:
        kind, size = struct.unpack_from("<4sI", data, place)
        if kind == b"data":
            return data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return data


def _reason(problem: Exception) -> str:
    return "it ends early" if isinstance(problem, EOFError) else " ".join(str(problem).split())


def _held_notes(track: Iterable[Any], remarks: dict[str, int]) -> tuple[list[Held], int]:
    """Return the notes of a track's messages, and the tick at which it ends.

    A key's end ends all its strokes but one of the same tick, since a key may be struck anew just before the
    message that ends the stroke before.
    """
    tick = 0
    struck: dict[tuple[int, int], list[int]] = {}
    notes: list[Held] = []
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.note, message.channel)
        if message.type == "note_on" and message.velocity:
            struck.setdefault(key, []).append(tick)
            continue
        starts = struck.pop(key, [])
        ended = [start for start in starts if start < tick] or starts
        notes += [Held(*key, start, tick) for start in ended[:1]]
        if len(ended) < len(starts):
            struck[key] = starts[len(ended) :]
    endless = [Held(*key, starts[0], tick) for key, starts in struck.items()]
    _count(remarks, "notes without an end, held until their track's", len(endless))
    return notes + endless, tick


def _is_key(note: Held, remarks: dict[str, int]) -> bool:
    """Return whether a note is a key of a piano; others are counted in ``remarks``."""
    if note.channel == DRUM_CHANNEL:
        _count(remarks, "drum notes left out", 1)
        return False
    inside = LOWEST_PITCH <= note.pitch < LOWEST_PITCH + KEYS
    _count(remarks, "notes outside the 88 keys (MIDI 21 to 108) left out", not inside)
    return inside


def _count(remarks: dict[str, int], what: str, number: int) -> None:
    if number:
        remarks[what] = remarks.get(what, 0) + number


def _listed(remarks: dict[str, int]) -> str:
    return "".join(f"; {count} {what}" for what, count in remarks.items())


def _step(tick: int, ticks_per_quarter: int, steps_per_quarter: int) -> int:
    return (2 * tick * steps_per_quarter + ticks_per_quarter) // (2 * ticks_per_quarter)


def _messages(roll: Roll, step_ticks: int) -> Iterator[Any]:
    """Yield the changes from step to step, ends before beginnings, and then the end of the track."""
    import mido

    changes = np.diff(np.pad((roll > 0).astype(np.int8), ((1, 1), (0, 0))), axis=0)
    done = 0
    for step in np.flatnonzero(changes.any(1)):
        for kind, change in (("note_off", -1), ("note_on", 1)):
            for key in np.flatnonzero(changes[step] == change):
                wait = (int(step) - done) * step_ticks
                yield mido.Message(kind, note=LOWEST_PITCH + int(key), velocity=VELOCITY, time=wait)
                done = int(step)
    yield mido.MetaMessage("end_of_track", time=(len(roll) - done) * step_ticks)
