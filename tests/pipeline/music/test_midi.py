"""MIDI: notes are read as they are, written as they were, and what cannot be used is one line."""

import io
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingRejected, UserError
from pipeline.music.midi import KEYS, MAX_STEPS, read_midi, write_midi
from pipeline.music.piano_roll import kind_of, read_sequence, read_sequences
from tests.helpers.notes import some_roll, sounding


def midi(*tracks: list[Any], ticks: int = 480, kind: int = 1) -> io.BytesIO:
    """A MIDI file of tracks of messages."""
    file = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[mido.MidiTrack(t) for t in tracks]).save(file=file)
    file.seek(0)
    return file


def note(kind: str, pitch: int, time: int, channel: int = 0, velocity: int = 64) -> Any:
    return mido.Message(f"note_{kind}", note=pitch, time=time, channel=channel, velocity=velocity)


@given(
    steps=st.integers(1, 60),
    seed=st.integers(0, 999),
    density=st.sampled_from([0.02, 0.5, 1.0]),
    grid=st.sampled_from([1, 2, 3, 4, 7, 24, 500]),
    tempo=st.floats(4, 1_000),
)
def test_what_is_written_is_read(
    steps: int, seed: int, density: float, grid: int, tempo: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    roll = some_roll(steps, seed, density)
    roll[0, seed % KEYS] = 1  # at least one note
    path = tmp_path_factory.mktemp("midi") / "notes.mid"
    write_midi(path, roll, grid, tempo)
    assert kind_of(path) == "MIDI"
    found = read_sequence(path, grid)
    assert np.array_equal(found.notes, roll)
    assert (found.name, found.split, found.remarks) == ("", None, ())
    seconds = mido.MidiFile(path).length
    assert seconds == pytest.approx(steps / grid * 60 / tempo, rel=1e-4)


def test_real_music_survives_midi(shared_data: Path, tmp_path: Path) -> None:
    for index, sequence in enumerate(read_sequences(shared_data / "music/npz/Piano_midi.npz", 4)[:12]):
        path = tmp_path / f"{index}.mid"
        write_midi(path, sequence.notes, 4, 120.0)
        assert np.array_equal(read_sequence(path, 4).notes, sequence.notes)


def test_notes_go_to_the_nearest_step_and_last_at_least_one() -> None:
    track = [
        note("on", 60, 0),
        note("off", 60, 470),  # 3.9 steps
        note("on", 62, 15),  # at 485
        note("off", 62, 1),  # far shorter than a step
        note("on", 64, 114),  # at 600, step 5
        note("on", 64, 240, velocity=0),  # at 840, step 7: an end in disguise
    ]
    roll, remarks = read_midi(midi(track), 4)
    assert sounding(roll) == [[60]] * 4 + [[62], [64], [64]]
    assert remarks == ()


def test_a_key_struck_anew_at_the_tick_where_it_ends_goes_on_sounding() -> None:
    for order in (("off", "on"), ("on", "off")):
        again = [note(kind, 60, 480 if index == 0 else 0) for index, kind in enumerate(order)]
        roll, remarks = read_midi(midi([note("on", 60, 0), *again, note("off", 60, 480)]), 1)
        assert sounding(roll) == [[60], [60]]
        assert remarks == ()


def test_all_tracks_and_channels_sound_together_and_the_longest_decides() -> None:
    high = [note("on", 72, 0), note("on", 76, 0, channel=3), note("off", 72, 480), note("off", 76, 480, 3)]
    low = [note("on", 48, 960), note("off", 48, 480), mido.MetaMessage("end_of_track", time=960)]
    roll, _ = read_midi(midi(high, low), 1)
    assert sounding(roll) == [[72, 76], [76], [48], [], []]


def test_what_is_no_key_is_left_out_and_said() -> None:
    track = [
        note("on", 60, 0),
        *(note("on", pitch, 0) for pitch in (20, 109, 127)),
        note("on", 40, 0, channel=9),
        *(note("off", pitch, 480, channel) for pitch, channel in ((20, 0), (109, 0), (127, 0), (40, 9))),
    ]
    roll, remarks = read_midi(midi(track), 1)
    assert sounding(roll) == [[60]] * 4
    assert remarks == (
        "1 notes without an end, held until their track's",
        "3 notes outside the 88 keys (MIDI 21 to 108) left out",
        "1 drum notes left out",
    )
    with pytest.raises(RecordingRejected, match="no notes on the 88 keys of a piano; 1 drum notes left out"):
        read_midi(midi([note("on", 40, 0, 9), note("off", 40, 480, 9)]), 1)


def test_tempo_does_not_change_what_is_read() -> None:
    notes = [note("on", 60, 0), note("off", 60, 960)]
    for tempo in (100_000, 2_000_000):
        roll, _ = read_midi(midi([mido.MetaMessage("set_tempo", tempo=tempo), *notes]), 2)
        assert len(roll) == 4


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (midi([]), "no notes"),
        (midi([note("on", 60, 0), note("off", 60, 9)], kind=2), "type 2"),
        (midi([note("on", 60, 0), note("off", 60, 9)], ticks=-6_120), "SMPTE"),
        (midi([note("on", 60, 0), note("off", 60, 240 * MAX_STEPS)]), "2097152 steps long"),
        (io.BytesIO(b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrk\0\0\0\x10\0\x90"), r"damaged .*it ends early"),
        (io.BytesIO(b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrx\0\0\0\x10\0\x90"), "damaged .*MTrk"),
    ],
)
def test_midi_that_cannot_be_used_is_refused(file: io.BytesIO, reason: str) -> None:
    with pytest.raises(RecordingRejected, match=reason):
        read_midi(file, 4)


def test_writing_refuses_before_it_destroys(tmp_path: Path) -> None:
    roll, path = some_roll(8), tmp_path / "deep" / "notes.mid"
    write_midi(path, roll, 4, 120.0)
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        write_midi(path, some_roll(9), 4, 120.0)
    assert path.read_bytes() == before
    write_midi(path, some_roll(9), 4, 120.0, overwrite=True)
    assert len(read_sequence(path, 4).notes) == 9
    with pytest.raises(UserError, match=r"notes\.wav: notes are written as MIDI"):
        write_midi(tmp_path / "notes.wav", roll, 4, 120.0)
    with pytest.raises(UserError, match="2 quarter notes a minute"):
        write_midi(tmp_path / "slow.mid", roll, 4, 2.0)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_midi(tmp_path / "file" / "notes.mid", roll, 4, 120.0)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["deep", "file", "notes.mid"]


def test_midi_in_a_riff_file_is_read() -> None:
    """The form RMID: other chunks may precede the data, and odd ones are padded."""
    plain = midi([note("on", 60, 0), note("off", 60, 480)]).read()
    chunks = b"RMID" + b"odd \x03\0\0\0abc\0" + b"data" + len(plain).to_bytes(4, "little") + plain
    wrapped = b"RIFF" + len(chunks).to_bytes(4, "little") + chunks
    assert np.array_equal(read_midi(io.BytesIO(wrapped), 4)[0], read_midi(io.BytesIO(plain), 4)[0])


@pytest.mark.parametrize(
    ("track", "division", "complaint"),
    [
        (b"\xff" * 50_000 + b"\0\x90\x40\x40\x10\x80\x40\0\0\xff\x2f\0", 480, "more than four bytes"),
        (b"\0\x90\x40\x40\x10\x80\x40\0\0\xff\x2f\0", 0, "quarter note has no length"),
        (b"\0\x90\x40\x40" * 600_000, 480, "more than 2 MiB"),
    ],
)
def test_midi_that_would_end_in_a_traceback_or_fill_the_memory(
    track: bytes, division: int, complaint: str
) -> None:
    head = b"MThd\0\0\0\x06\0\0\0\x01" + division.to_bytes(2, "big")
    file = io.BytesIO(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
    with pytest.raises(RecordingRejected, match=complaint) as rejected:
        read_midi(file, 4)
    assert len(str(rejected.value)) < 200
