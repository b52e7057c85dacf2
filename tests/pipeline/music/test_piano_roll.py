"""Notes are read as they are, written as they were, and what is no notes is refused in one line."""

import io
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from pipeline.errors import RecordingRefused, UserError
from pipeline.music.midi import KEYS, MAX_STEPS, Roll, read_midi, write_midi
from pipeline.music.piano_roll import NoteSequence, kind_of, read_sequence, read_sequences

STEPS_TRAIN_VALID_TEST = {
    "Nottingham": ((694, 173, 170), (176_561, 45_513, 44_463), 3.96),
    "JSB_Chorales": ((229, 76, 77), (13_807, 4_602, 4_725), 3.90),
    "MuseData": ((524, 135, 124), (245_202, 82_755, 64_339), 3.49),
    "Piano_midi": ((87, 12, 25), (75_911, 8_540, 19_036), 3.04),
}


def some_roll(steps: int, seed: int = 0, density: float = 0.05) -> Roll:
    return (np.random.default_rng(seed).random((steps, KEYS)) < density).astype(np.uint8)


def midi(*tracks: list[Any], ticks: int = 480, kind: int = 1) -> io.BytesIO:
    """A MIDI file of tracks of messages."""
    file = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[mido.MidiTrack(t) for t in tracks]).save(file=file)
    file.seek(0)
    return file


def note(kind: str, pitch: int, time: int, channel: int = 0, velocity: int = 64) -> Any:
    return mido.Message(f"note_{kind}", note=pitch, time=time, channel=channel, velocity=velocity)


def sounding(roll: Roll) -> list[list[int]]:
    """MIDI pitches of each step."""
    return [(np.flatnonzero(step) + 21).tolist() for step in roll]


def refusal(path: Path) -> str:
    with pytest.raises(RecordingRefused) as said:
        read_sequences(path, 4)
    assert "\n" not in str(said.value)
    return str(said.value)


def reading(path: Path) -> str | list[NoteSequence]:
    """What is read, or why nothing is."""
    try:
        return read_sequences(path, 4)
    except RecordingRefused as said:
        return str(said)


# The four published sets


@pytest.mark.parametrize("name", STEPS_TRAIN_VALID_TEST)
def test_the_published_sets_are_the_same_in_both_formats_and_have_the_known_sizes(
    name: str, shared_data: Path
) -> None:
    folder = shared_data / "music"
    matlab = read_sequences(folder / "mat" / f"{name}.mat", 4)
    numpy = read_sequences(folder / "npz" / f"{name}.npz", 4)
    assert [(s.name, s.split) for s in matlab] == [(s.name, s.split) for s in numpy]
    assert all(np.array_equal(one.notes, other.notes) for one, other in zip(matlab, numpy, strict=True))
    assert all(s.notes.dtype == np.uint8 and s.notes.max() <= 1 for s in matlab)
    counts, steps, notes_per_step = STEPS_TRAIN_VALID_TEST[name]
    assert tuple(Counter(s.split for s in matlab).values()) == counts
    lengths: Counter[str | None] = Counter()
    for sequence in matlab:
        lengths[sequence.split] += len(sequence.notes)
    assert tuple(lengths.values()) == steps
    train = np.concatenate([s.notes for s in matlab if s.split == "train"])
    assert train.sum() / len(train) == pytest.approx(notes_per_step, abs=0.005)


def test_column_k_is_pitch_21_plus_k(shared_data: Path) -> None:
    import json

    chorales = json.loads((shared_data / "music/jsb_json/jsb-chorales-quarter.json").read_text())
    found = read_sequences(shared_data / "music/mat/JSB_Chorales.mat", 1)
    expected = [steps for split in ("train", "valid", "test") for steps in chorales[split]]
    assert [sounding(sequence.notes) for sequence in found] == [
        [sorted(step) for step in steps] for steps in expected
    ]


def test_one_sequence_of_a_set_is_named(shared_data: Path) -> None:
    path = shared_data / "music/npz/JSB_Chorales.npz"
    one = read_sequence(Path(f"{path}#test-003"), 4)
    assert np.array_equal(one.notes, [s for s in read_sequences(path, 4) if s.split == "test"][3].notes)
    with pytest.raises(RecordingRefused, match=r"382 sequences: name one, as in .*npz#test-076"):
        read_sequence(path, 4)
    with pytest.raises(RecordingRefused, match="no sequence 'test-77' among train-000 to test-076"):
        read_sequence(Path(f"{path}#test-77"), 4)


# MIDI


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
    with pytest.raises(RecordingRefused, match="no notes on the 88 keys of a piano; 1 drum notes left out"):
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
        (midi([note("on", 60, 0), note("off", 60, 480 * MAX_STEPS)]), "4194304 steps long"),
        (io.BytesIO(b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrk\0\0\0\x10\0\x90"), r"damaged .*it ends early"),
        (io.BytesIO(b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrx\0\0\0\x10\0\x90"), "damaged .*MTrk"),
    ],
)
def test_midi_that_cannot_be_used_is_refused(file: io.BytesIO, reason: str) -> None:
    with pytest.raises(RecordingRefused, match=reason):
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


# Sets


def save_matlab(path: Path, sequences: list[Any], variable: str = "traindata", **options: Any) -> Path:
    cells = np.empty((1, len(sequences)), object)
    for index, sequence in enumerate(sequences):
        cells[0, index] = sequence
    savemat(path, {variable: cells}, **options)
    return path


def save_numpy(path: Path, **arrays: Any) -> Path:
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.bool_])
def test_a_table_of_any_dtype_is_read_if_it_holds_0_and_1(dtype: Any, tmp_path: Path) -> None:
    roll = some_roll(20)
    for path in (
        save_matlab(tmp_path / "a", [roll.astype(dtype)], do_compression=True),
        save_numpy(tmp_path / "b", train_rolls=roll.astype(dtype), train_lengths=np.array([15, 5])),
    ):
        found = read_sequences(path, 4)
        assert np.array_equal(np.concatenate([s.notes for s in found]), roll)
        assert all(s.notes.dtype == np.uint8 for s in found)


@pytest.mark.parametrize(
    ("sequence", "reason"),
    [
        (some_roll(9) * 2, "train-001 holds values other than 0 and 1"),
        (some_roll(9) - 0.5, "values other than"),
        (np.full((9, KEYS), np.nan), "values other than"),
        (np.zeros((9, 128)), r"train-001 has shape \(9, 128\); a piano roll has \(steps, 88\)"),
        (np.zeros((0, KEYS)), "shape"),
        ("notes", "train-001 holds <U5, not a table of numbers"),
        (np.ones((4, KEYS)) * 1j, "complex128"),
    ],
)
def test_a_set_with_a_sequence_that_is_no_roll_is_refused(sequence: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingRefused, match=reason):
        read_sequences(save_matlab(tmp_path / "set.mat", [some_roll(9), sequence]), 4)


class Trap:
    """Would leave a mark if a pickle of it were read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.mark,)


def test_no_pickle_is_ever_read(tmp_path: Path) -> None:
    mark = tmp_path / "the pickle was read"
    trap = np.array([Trap(mark)], object)
    save_numpy(tmp_path / "trap.npz", train_rolls=trap, train_lengths=np.array([1]))
    np.save(tmp_path / "trap.npy", trap, allow_pickle=True)
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Trap(mark)))
    assert "Object arrays cannot be loaded" in refusal(tmp_path / "trap.npz")
    for name in ("trap.npy", "trap.pkl"):
        assert "neither a MIDI file nor a set" in refusal(tmp_path / name)
    assert not mark.exists()
    pickle.loads((tmp_path / "trap.pkl").read_bytes())
    assert mark.exists()  # so the trap does work


def test_sets_that_are_laid_out_otherwise_are_refused(tmp_path: Path) -> None:
    roll, path = some_roll(9), tmp_path / "set"
    assert "traindata, validdata, testdata; none of them" in refusal(save_matlab(path, [roll], "songs"))
    savemat(path, {"traindata": roll})
    assert "traindata is of uint8, not a cell array" in refusal(path)
    assert "a set without sequences" in refusal(save_matlab(path, []))
    assert "none of them" in refusal(save_numpy(path, songs=roll))
    for lengths in ([9, 1], [4], [-1, 10], [0, 9], [9.0], [[9]]):
        reason = refusal(save_numpy(path, train_rolls=roll, train_lengths=np.array(lengths)))
        assert reason == "train_lengths do not divide train_rolls into sequences"
    assert "do not divide" in refusal(save_numpy(path, train_rolls=roll))
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(500))
    assert "version 7.3" in refusal(path)
    path.write_bytes(b"")
    assert "empty file" in refusal(path)
    assert "no such file" in refusal(tmp_path / "nowhere.mid")


@pytest.mark.parametrize("kind", ["mid", "mat", "npz"])
def test_damage_anywhere_is_refused_or_harmless(kind: str, tmp_path: Path) -> None:
    random, roll, path = np.random.default_rng(0), some_roll(30), tmp_path / "damaged"
    if kind == "mid":
        write_midi(tmp_path / "whole.mid", roll, 4, 120.0)
        whole = (tmp_path / "whole.mid").read_bytes()
    elif kind == "mat":
        whole = save_matlab(tmp_path / "whole", [roll, roll[:9]], do_compression=True).read_bytes()
    else:
        whole = save_numpy(tmp_path / "whole", test_rolls=roll, test_lengths=np.array([30])).read_bytes()
    refused = 0
    for trial in range(150):
        broken = bytearray(whole)
        if trial % 3 == 0:
            del broken[random.integers(len(broken)) :]
        else:
            broken[random.integers(len(broken) if trial % 3 == 1 else 200)] = random.integers(256)
        path.write_bytes(broken)
        outcome = reading(path)
        refused += isinstance(outcome, str)
        if isinstance(outcome, str):
            assert "\n" not in outcome
        else:
            assert all(s.notes.shape[1] == KEYS and s.notes.max() <= 1 for s in outcome)
    assert refused > 40
