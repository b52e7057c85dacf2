"""Music becomes a data set: sets as they are published, MIDI files like any recording, nothing twice."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import pipeline.data.music_preparation as music_preparation
from pipeline.config.inputs import PianoRollConfig
from pipeline.config.model import ModelConfig
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.data.dataset import Dataset
from pipeline.data.manifest import Recording, read_manifest
from pipeline.data.preparation import prepare
from pipeline.errors import UserError
from pipeline.music.midi import KEYS, Roll, write_midi
from pipeline.music.piano_roll import read_sequences
from tests.helpers.builders import prepared, rows_of

ROLLS = PianoRollConfig(kind="piano-roll", steps_per_quarter=4, quarters_per_minute=120.0)


def music_config(
    inputs: Path | list[Path], rolls: PianoRollConfig = ROLLS, group: str = "folder"
) -> RunConfig:
    corpus = CorpusConfig(inputs=[inputs] if isinstance(inputs, Path) else [*inputs], group=group)
    return RunConfig(corpus=corpus, input=rolls, model=ModelConfig(head="bernoulli"))


def some_roll(steps: int, seed: int) -> Roll:
    roll = (np.random.default_rng(seed).random((steps, KEYS)) < 0.05).astype(np.uint8)
    roll[0, 40] = 1
    return roll


def composers_folder(root: Path, composers: int = 8, pieces: int = 2) -> Path:
    """A corpus ROOT/composer-1/0.mid, ... of random notes; returns ``root``."""
    for composer in range(composers):
        for piece in range(pieces):
            roll = some_roll(20 + composer + piece, 10 * composer + piece)
            write_midi(root / f"composer-{composer}" / f"{piece}.mid", roll, 4, 120.0)
    return root


def save_set(path: Path, **splits: list[Roll]) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for split, rolls in splits.items():
        arrays[f"{split}_rolls"] = np.concatenate(rolls)
        arrays[f"{split}_lengths"] = np.array([len(roll) for roll in rolls])
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def manifest_of(dataset: Dataset) -> list[Recording]:
    return read_manifest(dataset.path.parent / "manifest.jsonl")


# Sets


@pytest.mark.parametrize(
    ("name", "leaks"),
    [("JSB_Chorales", {}), ("Nottingham", {"train-201": "valid-003", "train-267": "test-099"})],
)
def test_a_published_set_keeps_its_splits_and_leaks_nothing(
    name: str, leaks: dict[str, str], shared_data: Path
) -> None:
    path = shared_data / "music" / "mat" / f"{name}.mat"
    dataset = prepared(music_config(path))
    sequences = read_sequences(path, 4)
    kept = [sequence for sequence in sequences if sequence.name not in leaks]
    assert [Path(recording).name for recording in dataset.recording] == [
        f"{path.name}#{s.name}" for s in kept
    ]
    assert dataset.split == [sequence.split for sequence in kept]
    assert dataset.group == [Path(recording).name for recording in dataset.recording]
    for index, sequence in enumerate(kept):
        assert np.array_equal(dataset.recording_rows(index).numpy(), sequence.notes)
    assert dataset.rows.dtype == np.uint8
    assert {r.path.name: r.refused for r in manifest_of(dataset) if r.refused} == {
        f"{path.name}#{train}": f"the same notes as {path}#{held_out}" for train, held_out in leaks.items()
    }
    splits_of: dict[bytes, set[str | None]] = {sequence.notes.tobytes(): set() for sequence in kept}
    for sequence in kept:
        splits_of[sequence.notes.tobytes()].add(sequence.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    # The same data in the other format is the same rows in the store.
    again = prepared(music_config(shared_data / "music" / "npz" / f"{name}.npz"))
    assert (again.offset == dataset.offset).all()


def test_notes_meet_the_model_as_they_are(shared_data: Path) -> None:
    dataset = prepared(music_config(shared_data / "music/npz/JSB_Chorales.npz"))
    assert dataset.normalisation.mean == (0.0,) * KEYS
    assert dataset.normalisation.std == (1.0,) * KEYS


def test_what_a_set_has_in_two_splits_is_held_out(tmp_path: Path) -> None:
    one, two, three = (some_roll(12, seed) for seed in range(3))
    first = save_set(
        tmp_path / "a.npz", train=[one, two, one, three], valid=[three, two], test=[two, three[:5]]
    )
    second = save_set(tmp_path / "b.npz", train=[some_roll(9, 7), one], test=[three])
    records = manifest_of(prepared(music_config([first, second])))
    assert {record.path.name: record.refused for record in records if record.refused} == {
        "a.npz#train-001": f"the same notes as {first}#test-000",
        "a.npz#train-003": f"the same notes as {first}#valid-000",
        "a.npz#valid-001": f"the same notes as {first}#test-000",
        "b.npz#train-001": f"the same notes as {first}#train-000",
        "b.npz#test-000": f"the same notes as {first}#valid-000",
    }
    assert len(records) == 11


def test_a_set_that_cannot_be_used_is_refused_alone(tmp_path: Path) -> None:
    good = save_set(tmp_path / "good.npz", train=[some_roll(9, 1)], test=[some_roll(9, 2)])
    bad = save_set(tmp_path / "bad.npz", train=[some_roll(9, 1) * 2])
    dataset = prepared(music_config([bad, good]))
    assert dataset.split == ["train", "test"]
    assert {r.path: r.refused for r in manifest_of(dataset) if r.refused} == {
        bad: "train_rolls holds values other than 0 and 1"
    }
    with pytest.raises(UserError, match=r"none of 1 recordings can be used .*values other than 0 and 1"):
        prepare(music_config(bad))


# MIDI files


def test_midi_files_are_grouped_and_split_like_any_recordings(tmp_path: Path) -> None:
    dataset = prepared(music_config(composers_folder(tmp_path)))
    assert set(dataset.group) == {f"composer-{index}" for index in range(8)}
    splits_of: dict[str, set[str]] = {group: set() for group in dataset.group}
    for group, split in zip(dataset.group, dataset.split, strict=True):
        splits_of[group].add(split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert len(Counter(dataset.split)) == 3
    assert np.array_equal(rows_of(dataset, "composer-3/1.mid"), some_roll(24, 31))
    by_piece = prepared(music_config(tmp_path, group="recording"))
    assert len(set(by_piece.group)) == 16


def test_the_progress_of_midi_files_is_counted(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    prepare(music_config(composers_folder(tmp_path / "music")), progress=lambda *counts: seen.append(counts))
    assert seen == [(done, 16) for done in range(1, 17)]


def test_a_table_gives_midi_files_their_splits_and_groups(tmp_path: Path) -> None:
    composers_folder(tmp_path, 3, 1)
    rows = [
        "path,split,who",
        *(f"composer-{i}/0.mid,{split},{i}" for i, split in enumerate(["test", "train", "valid"])),
    ]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    dataset = prepared(music_config(tmp_path / "table.csv", group="who"))
    assert dict(zip(dataset.group, dataset.split, strict=True)) == {"0": "test", "1": "train", "2": "valid"}


def test_the_same_notes_are_used_once_whatever_holds_them(tmp_path: Path) -> None:
    roll = some_roll(16, 0)
    write_midi(tmp_path / "a" / "piece.mid", roll, 4, 120.0)
    shutil.copyfile(tmp_path / "a" / "piece.mid", tmp_path / "a" / "copy.midi")
    write_midi(tmp_path / "b" / "faster.mid", roll, 4, 200.0)
    save_set(tmp_path / "b" / "set.npz", train=[roll, some_roll(8, 1)])
    for _ in range(2):  # found in the store, the same as read
        records = manifest_of(prepared(music_config(tmp_path)))
        refused = {record.path.name: record.refused for record in records}
        assert refused == {
            "copy.midi": None,
            "piece.mid": f"the same notes as {tmp_path / 'a' / 'copy.midi'}",
            "faster.mid": f"the same notes as {tmp_path / 'a' / 'copy.midi'}",
            "set.npz#train-000": f"the same notes as {tmp_path / 'a' / 'copy.midi'}",
            "set.npz#train-001": None,
        }


def test_refusals_and_remarks_go_to_the_manifest(tmp_path: Path) -> None:
    import mido

    composers_folder(tmp_path, 2, 1)
    (tmp_path / "song.mid").write_text("la la la")
    (tmp_path / "sound.wav").write_bytes(b"RIFF" + bytes(100))
    (tmp_path / "nowhere.mid").symlink_to(tmp_path / "absent")
    struck = [mido.Message("note_on", note=pitch) for pitch in (60, 10)]
    mido.MidiFile(tracks=[mido.MidiTrack([*struck, mido.Message("note_off", note=60, time=960)])]).save(
        tmp_path / "low.mid"
    )
    records = {record.path.name: record for record in manifest_of(prepared(music_config(tmp_path)))}
    assert records["song.mid"].refused == "neither a MIDI file nor a set of piano rolls in .mat or .npz"
    assert records["sound.wav"].refused == records["song.mid"].refused
    assert records["nowhere.mid"].refused == "no such file"
    assert records["low.mid"].refused is None
    assert records["low.mid"].notes == (
        "1 notes without an end, held until their track's",
        "1 notes outside the 88 keys (MIDI 21 to 108) left out",
    )
    assert (records["low.mid"].frames, records["low.mid"].seconds) == (8, 1.0)


def test_an_unchanged_midi_file_is_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: Path, steps_per_quarter: int) -> object:
        read.append(path.name)
        return read_sequences(path, steps_per_quarter)

    monkeypatch.setattr(music_preparation, "read_sequences", counted)
    config = music_config(composers_folder(tmp_path, 3, 1))
    first = prepare(config)
    assert len(read) == 3
    assert prepare(config) == first
    write_midi(tmp_path / "composer-9" / "new.mid", some_roll(30, 99), 4, 120.0)
    assert prepare(config) != first
    assert read[3:] == ["new.mid"]


def test_the_tempo_of_playing_makes_no_new_data_set(tmp_path: Path) -> None:
    composers_folder(tmp_path, 3, 1)
    slower = ROLLS.model_copy(update={"quarters_per_minute": 60.0})
    finer = ROLLS.model_copy(update={"steps_per_quarter": 8})
    first = prepared(music_config(tmp_path))
    assert prepared(music_config(tmp_path, slower)).path == first.path
    assert sum(prepared(music_config(tmp_path, finer)).length) == 2 * sum(first.length)


def test_midi_in_riff_files_is_prepared_like_the_same_midi_without(tmp_path: Path) -> None:
    composers_folder(tmp_path / "plain")
    for file in sorted((tmp_path / "plain").rglob("*.mid")):
        data = file.read_bytes()
        chunk = b"RMIDdata" + len(data).to_bytes(4, "little") + data
        wrapped = tmp_path / "riff" / file.parent.name / f"{file.stem}.rmi"
        wrapped.parent.mkdir(parents=True, exist_ok=True)
        wrapped.write_bytes(b"RIFF" + len(chunk).to_bytes(4, "little") + chunk)
    plain, riff = (prepared(music_config(tmp_path / name)) for name in ("plain", "riff"))
    for piece in ("composer-0/0", "composer-7/1"):
        assert np.array_equal(rows_of(riff, f"{piece}.rmi"), rows_of(plain, f"{piece}.mid"))
    assert not [record for record in manifest_of(riff) if record.refused]
