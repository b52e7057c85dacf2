"""`wavecast prepare`: what was found, what would be, and rejections by reason."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.music.midi import write_midi
from tests.helpers.builders import speakers_folder, write_sound
from tests.helpers.cli import Run
from tests.helpers.corpora.published_layouts import PUBLISHED
from tests.helpers.notes import some_roll

RATE = ("--set", "input.sample_rate=8000")
HEAD = "model.head=bernoulli"


def corpus_with_rejections(root: Path) -> Path:
    speakers_folder(root, 6)
    for number in range(4):
        (root / "speaker-0" / f"bad{number}.wav").write_text("no sound")
        (root / "speaker-0" / f"{number}.txt").write_text("a text")
    (root / "speaker-1" / "empty.wav").touch()
    return root


def test_a_dry_run_shows_what_a_preparation_finds_and_writes_nothing(wavecast: Run, tmp_path: Path) -> None:
    root = corpus_with_rejections(tmp_path / "corpus")
    shown = wavecast("prepare", root, *RATE, "--dry-run", "--json")
    assert shown.code == 0, shown.error
    planned = json.loads(shown.out)
    assert not list(Path(os.environ["WAVECAST_DATA"]).glob("**/*.bin"))
    made = json.loads(wavecast("prepare", root, *RATE, "--json").out)
    assert planned["recordings"] == made["recordings"] == 12
    assert {name: found["minutes"] for name, found in planned["splits"].items()} == made["minutes"]
    assert [item["path"] for item in planned["refused"]] == [item["path"] for item in made["refused"]]
    assert planned["remarks"] == made["corpus"]["remarks"]
    assert planned["side_files"] == made["corpus"]["side_files"] == 4


def test_rejections_are_summarised_by_reason(wavecast: Run, tmp_path: Path) -> None:
    root = corpus_with_rejections(tmp_path / "corpus")
    for options in ((), ("--dry-run",)):
        lines = wavecast("prepare", root, *RATE, *options).out.splitlines()
        rejected = [line for line in lines if line.startswith("  rejected")]
        assert len(rejected) == 2
        assert rejected[0].startswith("  rejected 4 files: not readable by ")
        assert rejected[0].endswith("and 1 more)")
        assert rejected[1] == f"  rejected {root / 'speaker-1' / 'empty.wav'}: an empty file (0 bytes)"
        assert "folders of level 1: 6 groups, splits drawn" in lines
        assert "4 files that are no recordings were left out (4 .txt)" in lines


def test_published_splits_are_those_of_the_data_set(wavecast: Run, tmp_path: Path) -> None:
    laid = next(laid for laid in PUBLISHED if laid.name == "LibriSpeech")
    root = laid.make(tmp_path / "LibriSpeech")
    for number, name in enumerate(laid.files):  # the same sound would be used once
        (root / name).unlink()
        wave = np.full(400, number, np.int16)
        write_sound(root / name, wave)
    made = wavecast("prepare", root, *RATE, "--json")
    assert made.code == 0, made.error
    facts = json.loads(made.out)
    records = [json.loads(line) for line in Path(facts["manifest"]).read_text().splitlines()]
    found = {Path(r["path"]).relative_to(root).as_posix(): (r["group"], r["split"]) for r in records}
    assert found == laid.files
    assert {record["layout"] for record in records} == {"LibriSpeech"}
    assert facts["corpus"]["remarks"][0] == "LibriSpeech: 12 speakers, splits train/valid/test as published"


def test_a_folder_of_somebodys_recordings_is_prepared(wavecast: Run, tmp_path: Path) -> None:
    for number in range(12):
        write_sound(tmp_path / "mine" / f"memo {number}.wav", np.full(800, number, np.int16))
    made = wavecast("prepare", tmp_path / "mine", *RATE, "--json")
    assert made.code == 0, made.error
    assert set(json.loads(made.out)["minutes"]) == {"train", "valid", "test"}


def test_the_size_of_piano_rolls_is_in_steps(wavecast: Run, tmp_path: Path) -> None:
    rolls = {f"{split}_rolls": some_roll(20, seed) for seed, split in enumerate(("train", "valid", "test"))}
    lengths = {name.replace("rolls", "lengths"): np.array([8, 12]) for name in rolls}
    np.savez(tmp_path / "set.npz", **rolls, **lengths)
    made = wavecast("prepare", tmp_path / "set.npz", "--set", "input={kind: piano-roll}", "--set", HEAD)
    assert made.code == 0, made.error
    assert "6 pieces prepared (steps: test 20, train 20, valid 20)" in made.out


def test_missing_recordings_are_named_as_they_were_given(
    wavecast: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = wavecast("prepare", "nowhere")
    assert (missing.code, missing.error) == (1, "wavecast: nowhere: no such file or folder\n")


def test_a_dry_run_counts_the_pieces_of_sets_in_their_splits(wavecast: Run, tmp_path: Path) -> None:
    lengths = {"train": 3, "valid": 1, "test": 2}
    rolls = {f"{split}_rolls": some_roll(20 * count, count) for split, count in lengths.items()}
    ends = {f"{split}_lengths": np.full(count, 20) for split, count in lengths.items()}
    np.savez(tmp_path / "hymns.npz", **rolls, **ends)
    write_midi(tmp_path / "piece.mid", some_roll(20, 9), 4, 120.0)
    (tmp_path / "bad.mid").write_text("no notes")
    notes = ("--config", "music", "--json")
    planned = json.loads(wavecast("prepare", tmp_path, *notes, "--dry-run").out)
    made = json.loads(wavecast("prepare", tmp_path, *notes).out)
    assert planned["recordings"] == made["recordings"] == 7
    assert [item["path"] for item in planned["refused"]] == [item["path"] for item in made["refused"]]
    single = planned["splits"]
    assert sum(found["recordings"] for found in single.values()) == 7
    assert all(single[split]["recordings"] in (count, count + 1) for split, count in lengths.items())
    assert wavecast("prepare", tmp_path, *notes[:2], "--dry-run").out.splitlines()[-6].split() == [
        "groups",
        "pieces",
    ]
