"""Examinations of corpora, data sets, models and runs, and the output of `wavecast doctor`."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.cli.commands.models.doctor import doctor
from pipeline.diagnostics.diagnose import diagnose, recognised
from pipeline.diagnostics.installation import examine_installation
from tests.helpers.builders import noise, prepared, run_config, speakers_folder, write_sound
from tests.helpers.diagnostics import examined, found, model_folder
from tests.helpers.tracked_runs import new_run

# Kinds of targets


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sounds" / "a.wav", noise(8000))
    dataset = prepared(run_config(speakers_folder(tmp_path / "corpus")))
    run, model = new_run("seen"), model_folder(tmp_path / "model")
    midi = tmp_path / "notes.xyz"
    midi.write_bytes(b"MThd")
    kinds = {
        str(sound): "recording",
        str(sound.parent): "corpus",
        str(tmp_path / "sounds" / "*.wav"): "recording",
        str(dataset.path): "data set",
        str(dataset.path.parent): "data set",
        str(dataset.path.parent.parent): "data set",
        str(run.path): "run",
        str(run.path.parent): "run",
        str(model): "model",
        "models:/wavecast@champion": "model",
        "runs:/abc/model": "model",
        str(midi): "music",
        str(tmp_path / "none*.wav"): "unknown",
    }
    assert {name: next(iter(recognised(name))).kind for name in kinds} == kinds


# Corpora


def test_a_corpus_is_examined_as_a_whole(tmp_path: Path) -> None:
    folder = speakers_folder(tmp_path / "corpus", speakers=12, samples=16_000)
    write_sound(folder / "speaker-0" / "loud.wav", noise(8000, std=30_000))
    write_sound(folder / "speaker-1" / "still.wav", np.zeros(8000, np.int16), 16_000)
    shutil.copy(folder / "speaker-2" / "0.wav", folder / "speaker-3" / "copy.wav")
    (folder / "speaker-4" / "a.wav").write_text("no sound")
    (folder / "speaker-5" / "b.wav").write_text("no sound either")
    (folder / "speaker-5" / "b.txt").write_text("a side file")
    one = examined(folder)
    assert one.kind == "corpus"
    assert (one.figures["recordings"], one.figures["usable"], one.figures["groups"]) == (29, 27, 12)
    assert found(one, "unreadable") == "warning"
    assert "2 files" in next(f.what for f in one.findings if f.name == "unreadable")
    for name in ("duplicates", "mixed-rates", "quieter", "silent", "low-rate", "too-little"):
        assert found(one, name), name
    assert one.has_problem  # far too little sound for the model


def test_too_few_groups_for_the_splits(tmp_path: Path) -> None:
    lone = speakers_folder(tmp_path / "lone", speakers=1, recordings=1)
    assert found(examined(lone), "splits") == "problem"
    assert found(examined(speakers_folder(tmp_path / "one", speakers=1)), "splits") == "warning"
    assert found(examined(speakers_folder(tmp_path / "two", speakers=2)), "splits") == "warning"
    assert found(examined(speakers_folder(tmp_path / "many", speakers=60, recordings=1)), "splits") == "fine"


def test_size_is_judged_by_the_model(tmp_path: Path) -> None:
    folder, model = speakers_folder(tmp_path / "corpus", samples=8000), model_folder(tmp_path / "model")
    assert found(examined(folder), "too-little") == "problem"
    one, _ = diagnose([str(folder)], str(model))
    assert not found(one, "low-rate")  # the model's rate is that of the recordings
    assert found(one, "too-little") != "problem"


def test_empty_and_hidden_folders_are_a_problem_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert examined(tmp_path / "empty").has_problem
    assert examined(tmp_path / "not there").has_problem


# Data sets


def test_a_whole_data_set_is_fine(tmp_path: Path) -> None:
    dataset = prepared(run_config(speakers_folder(tmp_path / "corpus", samples=8000)))
    one = examined(dataset.path)
    assert {f.name for f in one.findings if f.severity != "fine"} <= {"too-little", "splits"}
    assert sum(one.figures["seconds"].values()) == pytest.approx(dataset.length.sum() / 8000)


def test_what_can_be_wrong_with_a_data_set(tmp_path: Path) -> None:
    corpus = speakers_folder(tmp_path / "corpus")
    dataset = prepared(run_config(corpus))
    write_sound(corpus / "speaker-0" / "0.wav", noise(3000, 99))
    (corpus / "speaker-1" / "0.wav").unlink()
    os.utime(corpus / "speaker-2" / "0.wav")  # touched, but the same
    rows = dataset.path.parent.parent / "rows.bin"
    os.truncate(rows, rows.stat().st_size - 2)
    one = examined(dataset.path)
    assert found(one, "rows") == "problem"
    for name in ("changed", "gone"):
        assert next(f.what for f in one.findings if f.name == name).startswith("1 recording ")


def test_empty_splits_and_silence_in_a_data_set(tmp_path: Path) -> None:
    for index in range(3):
        write_sound(tmp_path / "still" / f"{index}.wav", np.zeros(4000 + index, np.int16))
    config = run_config(tmp_path / "still", group="recording", valid_fraction=0.0)
    one = examined(prepared(config).path)
    assert (found(one, "silent"), found(one, "splits")) == ("problem", "problem")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"recordings": 3, "settings": {}}', "\0\1"])
def test_a_damaged_data_set_is_a_finding(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(content)
    assert examined(tmp_path / "dataset.json").has_problem


# The installation


def test_the_installation_here() -> None:
    one = examine_installation()
    assert found(one, "package") == "fine"
    assert found(one, "gpu")
    assert found(one, "store") == "fine"
    assert one.figures["packages"]["torch"] == torch.__version__.split("+")[0]


def test_a_store_that_cannot_be_read_or_reached(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(examine_installation(), "store") == "warning"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    database = Path(os.environ["WAVECAST_DATA"]) / "mlflow" / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.write_text("no database at all, but long enough to look like one" * 10)
    assert found(examine_installation(), "store") == "problem"
    database.unlink()
    sqlite3.connect(database).execute("create table runs (x)").connection.close()
    assert found(examine_installation(), "store") == "fine"


def test_a_data_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "file" / "data"))
    assert found(examine_installation(), "data") == "problem"


# The verb


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*targets: object, **options: Any) -> tuple[int, str]:
        capsys.readouterr()
        try:
            doctor(tuple(map(str, targets)), **options)
        except SystemExit as left:
            return int(left.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


def test_the_exit_code_tells_of_problems(call: Call, tmp_path: Path) -> None:
    good = write_sound(tmp_path / "good.wav", noise(32_000), 16_000)
    bad = write_sound(tmp_path / "bad.wav", np.zeros(32_000, np.int16), 16_000)
    code, out = call(good)
    assert code == 0
    assert out.startswith(str(good))
    assert "  fine     Nothing is wrong" in out
    code, out = call(good, bad)
    assert code == 1
    assert "2 examined: 1 problem, 0 warnings" in out


def test_json_holds_every_finding(call: Call, tmp_path: Path) -> None:
    bad = write_sound(tmp_path / "bad.wav", np.zeros(32_000, np.int16), 16_000)
    model = model_folder(tmp_path / "model")
    code, out = call(bad, model=str(model), json=True)
    first, second = json.loads(out)
    assert code == 1
    assert (first["kind"], second["kind"]) == ("recording", "model")
    assert first["findings"][0] == {
        "severity": "problem",
        "name": "silent",
        "what": "It is digital silence: every sample is zero in 16 bits.",
        "advice": "Leave it out: it has no signal to train on or to score.",
    }


def test_junk_never_ends_in_an_exception(call: Call, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index, name in enumerate(("a.wav", "b.csv", "c.txt", "d.json", "dataset.json", "e.mid", "f")):
        head = b"MThd" if name == "e.mid" else b""
        (tmp_path / name).write_bytes(head + random.bytes(100 * index))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    code, out = call(*sorted(tmp_path.iterdir()))
    assert code == 1
    assert out.count("problem") >= 9
    assert call("", "*", "a\0b")[0] == 1


def test_looking_at_recordings_loads_nothing_heavy() -> None:
    modules = (
        "pipeline.diagnostics.diagnose, pipeline.cli.commands.models.doctor, pipeline.diagnostics.recording"
    )
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
