"""Notes are read as they are, written as they were, and what is no notes is refused in one line."""

import pickle
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from scipy.io import savemat

from pipeline.errors import RecordingRejected
from pipeline.music.midi import KEYS, write_midi
from pipeline.music.piano_roll import NoteSequence, read_sequence, read_sequences
from tests.helpers.notes import some_roll, sounding

STEPS_TRAIN_VALID_TEST = {
    "Nottingham": ((694, 173, 170), (176_561, 45_513, 44_463), 3.96),
    "JSB_Chorales": ((229, 76, 77), (13_807, 4_602, 4_725), 3.90),
    "MuseData": ((524, 135, 124), (245_202, 82_755, 64_339), 3.49),
    "Piano_midi": ((87, 12, 25), (75_911, 8_540, 19_036), 3.04),
}


def refusal(path: Path) -> str:
    with pytest.raises(RecordingRejected) as printed:
        read_sequences(path, 4)
    assert "\n" not in str(printed.value)
    return str(printed.value)


def reading(path: Path) -> str | list[NoteSequence]:
    """What is read, or why nothing is."""
    try:
        return read_sequences(path, 4)
    except RecordingRejected as printed:
        return str(printed)


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
    with pytest.raises(RecordingRejected, match=r"382 sequences: name one, as in .*npz#test-076"):
        read_sequence(path, 4)
    with pytest.raises(RecordingRejected, match="no sequence 'test-77' among train-000 to test-076"):
        read_sequence(Path(f"{path}#test-77"), 4)


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
        ("notes", "train-001 holds <U1, not a table of numbers"),
        (np.ones((4, KEYS)) * 1j, "complex128"),
    ],
)
def test_a_set_with_a_sequence_that_is_no_roll_is_refused(sequence: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingRejected, match=reason):
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
    assert "traindata is not a cell array" in refusal(path)
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


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    save_numpy(tmp_path / "set", train_rolls=some_roll(9), train_lengths=np.array([9]))
    with ZipFile(tmp_path / "set") as archive, ZipFile(tmp_path / "other", "w") as target:
        for name in archive.namelist():
            target.writestr(name, archive.read(name) if "rolls" in name else b"text")
    assert "train_lengths is no array" in refusal(tmp_path / "other")


@pytest.mark.slow
def test_a_set_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with (
        ZipFile(tmp_path / "set", "w", ZIP_DEFLATED) as archive,
        archive.open("train_rolls.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(600):
            member.write(bytes(1 << 20))
    assert (tmp_path / "set").stat().st_size < 1 << 20
    assert "a set too large" in refusal(tmp_path / "set")
