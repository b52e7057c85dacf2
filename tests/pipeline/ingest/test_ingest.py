"""What arrives in the inbox: complete and good files become recordings, bad ones are quarantined."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.config.run import RunConfig
from pipeline.data.manifest import Recording, write_manifest
from pipeline.ingest.checking import Checker
from pipeline.ingest.ingest import Ingest, IngestSettings, ingest_dir
from pipeline.tracking.run_folder import start_run
from tests.helpers.builders import noise, tone, write_sound


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Checker() as checker:
        yield checker


@pytest.fixture
def watched(own_data_dir: Path) -> IngestSettings:
    settings = IngestSettings(
        own_data_dir / "incoming", own_data_dir / "recordings", "nights", settle_seconds=0.0, new_minutes=0.05
    )
    settings.inbox.mkdir()
    settings.recordings.mkdir()
    return settings


def looks(ingest: Ingest, count: int = 2) -> list[str]:
    return [remark for _ in range(count) for remark in ingest.look().remarks]


def test_good_files_are_moved_with_their_folders_and_bad_ones_quarantined(
    watched: IngestSettings, checker: Checker, own_data_dir: Path
) -> None:
    good = write_sound(watched.inbox / "ann" / "a.wav", tone(8_000)).read_bytes()
    cut = watched.inbox / "ann" / "b.flac"
    cut.write_bytes(write_sound(cut, tone(80_000)).read_bytes()[:9_000])
    (watched.inbox / "ann" / "a.txt").write_text("a text beside it")
    hidden = [watched.inbox / name for name in ("c.wav.part", ".d.wav", "e.wav.CRDOWNLOAD")]
    for path in hidden:
        path.write_bytes(good)
    ingest = Ingest(watched, checker)
    assert not ingest.look().remarks  # nothing is complete at the first look
    remarks = looks(ingest, 1)
    assert (watched.recordings / "ann" / "a.wav").read_bytes() == good
    assert (watched.recordings / "ann" / "a.txt").exists()
    assert len((own_data_dir / "quarantine/ann/b.flac").read_bytes()) == 9_000
    reason = (own_data_dir / "quarantine/ann/b.flac.reason.txt").read_text()
    assert reason.strip() in next(remark for remark in remarks if "b.flac" in remark)
    assert all(path.exists() for path in hidden)
    assert {path for path in watched.inbox.rglob("*") if path.is_file()} == set(hidden)


def test_a_file_that_grows_or_is_open_for_writing_is_waited_for(
    watched: IngestSettings, checker: Checker
) -> None:
    whole = write_sound(watched.inbox / "whole.wav", tone(8_000))
    growing = watched.inbox / "growing.wav"
    ingest = Ingest(watched, checker)
    data = whole.read_bytes()
    whole.unlink()
    with growing.open("wb", buffering=0) as file:
        for begin in range(0, len(data), 6_000):
            file.write(data[begin : begin + 6_000])
            assert not ingest.look().remarks
        assert not looks(ingest, 3)  # unchanged, but another process still has it open
    assert looks(ingest) == ["growing.wav: accepted (1.0 s)"]


def test_the_same_content_is_dropped_and_another_gets_a_new_name(
    watched: IngestSettings, checker: Checker
) -> None:
    ingest = Ingest(watched, checker)
    first = write_sound(watched.inbox / "a.wav", tone(8_000, 1)).read_bytes()
    looks(ingest)
    (watched.inbox / "a.wav").write_bytes(first)
    assert looks(ingest) == ["a.wav: dropped, the same recording is there already"]
    write_sound(watched.inbox / "a.wav", tone(8_000, 2))
    assert looks(ingest) == ["a.wav: accepted as a-2.wav (1.0 s)"]
    assert (watched.recordings / "a.wav").read_bytes() == first


def test_a_training_is_due_once_for_enough_that_is_new(
    watched: IngestSettings, checker: Checker, own_data_dir: Path
) -> None:
    ingest = Ingest(watched, checker)
    write_sound(watched.inbox / "a.wav", tone(16_000, 1))
    assert not [True for _ in range(3) if ingest.look().due]  # 2 of 3 seconds
    write_sound(watched.recordings / "direct.wav", tone(16_000, 2))
    assert [ingest.look().due for _ in range(3)] == [False, True, True]
    ingest.state.ask()
    ingest.state.save()
    again = Ingest(watched, checker)
    assert not [True for _ in range(3) if again.look().due]
    write_sound(watched.inbox / "late.wav", tone(32_000, 3))
    looks(again)
    again.state.ask()  # a run that was dropped, since one was training
    finished_training(own_data_dir, [watched.recordings / "a.wav", watched.recordings / "direct.wav"])
    look = again.look()
    assert look.due
    assert look.waiting_minutes == pytest.approx(4 / 60)
    finished_training(own_data_dir, sorted(watched.recordings.glob("*.wav")))
    look = again.look()
    assert (look.due, look.waiting_minutes) == (False, 0.0)


def finished_training(home: Path, recordings: list[Path]) -> None:
    dataset = home / "prepared" / f"waveform-{len(recordings)}" / "0f" / "dataset.json"
    write_manifest(dataset.parent / "manifest.jsonl", [Recording(path=path) for path in recordings])
    start_run(RunConfig(name="nights"), dataset, f"of {len(recordings)}").set_status("finished")


def test_white_noise_is_quarantined_unless_all_is_accepted(
    watched: IngestSettings, own_data_dir: Path
) -> None:
    with Checker(sample_rate=8_000) as checker:
        ingest = Ingest(watched, checker)
        write_sound(watched.inbox / "noise.wav", noise(8_000))
        write_sound(watched.inbox / "wide.wav", noise(48_000), sample_rate=48_000)
        write_sound(watched.inbox / "silence.wav", noise(8_000, std=0.0))
        write_sound(watched.inbox / "tone.wav", tone(8_000))
        remarks = looks(ingest)
        assert sorted(path.name for path in watched.recordings.iterdir()) == ["silence.wav", "tone.wav"]
        reason = (own_data_dir / "quarantine" / "noise.wav.reason.txt").read_text()
        assert reason.startswith("noise: linear prediction gains 0.2 dB, less than 1 dB")
        assert any(remark.startswith(f"noise.wav: rejected ({reason.strip()})") for remark in remarks)
        assert (own_data_dir / "quarantine" / "wide.wav").exists()

        write_sound(watched.inbox / "noise.wav", noise(8_000))
        looks(Ingest(replace(watched, least_gain_db=0.0), checker))
        assert (watched.recordings / "noise.wav").exists()


def test_a_move_that_was_killed_between_its_steps_leaves_one_whole_file(
    watched: IngestSettings, checker: Checker
) -> None:
    path = write_sound(watched.inbox / "a.wav", tone(8_000))
    data = path.read_bytes()
    (watched.recordings / "a.wav").hardlink_to(path)
    write_sound(watched.inbox / "b.wav", tone(9_000))
    (watched.recordings / ".b.wav.ingest").write_bytes(b"half of a copy")
    looks(Ingest(watched, checker), 3)
    assert not path.exists()
    assert (watched.recordings / "a.wav").read_bytes() == data
    assert sorted(path.name for path in watched.recordings.glob("[!.]*")) == ["a.wav", "b.wav"]


def test_a_damaged_state_is_made_again(watched: IngestSettings, checker: Checker, own_data_dir: Path) -> None:
    write_sound(watched.recordings / "a.wav", tone(8_000))
    looks(Ingest(watched, checker))
    state = own_data_dir / "ingest" / "state.json"
    assert json.loads(state.read_text())["files"]["a.wav"]["seconds"] == 1.0
    state.write_text(state.read_text().replace("1.0", "9.0"))
    ingest = Ingest(watched, checker)
    looks(ingest)
    assert ingest.state.waiting_seconds == 1.0


def test_none_of_many_bad_files_stops_the_others(
    watched: IngestSettings, checker: Checker, own_data_dir: Path
) -> None:
    inbox = watched.inbox
    good = write_sound(inbox / "z.wav", tone(8_000)).read_bytes()
    bad = {"cut.wav": good[:30], "empty.wav": b"", "garbage.wav": b"x" * 3_000}
    bad |= {"\x1b[31m\u202e\n.wav": b"x", os.fsdecode(b"\xff.wav"): b"x", f"{'n' * 251}.wav": b"x"}
    for name, content in bad.items():
        (inbox / name).write_bytes(content)
    (inbox / "folder.wav").mkdir()
    os.mkfifo(inbox / "pipe.wav")
    (inbox / "broken.wav").symlink_to("nowhere")
    (inbox / "endless.wav").symlink_to("/dev/zero")
    ingest = Ingest(watched, checker)
    remarks = looks(ingest, 3)
    assert "z.wav: accepted (1.0 s)" in remarks
    assert len([remark for remark in remarks if ": rejected (" in remark]) == len(bad) - 1
    # A name that leaves no room for that of the reason stays where it is, like what is no file.
    left = {f"{'n' * 251}.wav", "pipe.wav", "broken.wav", "endless.wav"}
    assert len([remark for remark in remarks if "cannot be taken in" in remark]) == len(left)
    assert len(remarks) == 1 + len(bad) - 1 + len(left)
    assert {path.name for path in inbox.iterdir()} == left | {"folder.wav"}
    assert (own_data_dir / "quarantine" / "empty.wav").is_file()


TAKE_IN = """
import sys
from pathlib import Path
from pipeline.ingest.checking import Checker
from pipeline.ingest.ingest import Ingest, IngestSettings, alone

settings = IngestSettings(Path(sys.argv[1]), Path(sys.argv[2]), "nights", settle_seconds=0.0)
with alone(settings.inbox), Checker() as checker:
    ingest = Ingest(settings, checker)
    for _ in range(3):
        print(*ingest.look().remarks, sep="\\n")
"""


def test_of_two_processes_at_once_one_waits_and_no_file_is_torn_or_taken_twice(
    watched: IngestSettings,
) -> None:
    expected = {}
    for number in range(20):
        path = write_sound(watched.inbox / f"{number}.wav", tone(8_000, number))
        expected[path.name] = path.read_bytes()
    command = [sys.executable, "-c", TAKE_IN, str(watched.inbox), str(watched.recordings)]
    with FileLock(ingest_dir() / ".lock"):  # as of a third one: both are sure to meet it
        both = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"
        ]
        first = [process.stderr.readline() for process in both if process.stderr]
        assert all("waiting for another process" in line for line in first)
    outcomes = [process.communicate(timeout=60) for process in both]
    assert {process.returncode for process in both} == {0}
    remarks = [line for out, _ in outcomes for line in out.splitlines() if "accepted" in line]
    assert len(remarks) == len(set(remarks)) == len(expected)
    assert {path.name: path.read_bytes() for path in watched.recordings.iterdir()} == expected
