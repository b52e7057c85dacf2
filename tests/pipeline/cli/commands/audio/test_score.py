"""`wavecast score`: printed text, files, rejected recordings and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.commands.audio.score import score
from pipeline.errors import UserError
from pipeline.model.storage import save_model
from tests.helpers.builders import noise, tiny_model, tone, write_sound


@pytest.fixture
def model(tmp_path: Path) -> str:
    trained = tiny_model()
    folder = tmp_path / "model"
    weights = trained.network.state_dict()
    save_model(folder, weights, trained.input, trained.model, trained.normalisation, trained.trained)
    return str(folder)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Three quiet recordings and two loud ones."""
    for number in range(3):
        write_sound(tmp_path / "sounds" / f"quiet-{number}.wav", noise(4_000 + number, number, 300.0))
    for number in range(2):
        write_sound(tmp_path / "sounds" / f"loud-{number}.flac", noise(4_000, number, 9_000.0))
    return tmp_path / "sounds"


def printed_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_a_line_for_each_recording_and_one_for_all(
    model: str, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score((str(sounds),), model=model)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["bits/sample", "with", "experts", "nats/step", "seconds", "recording"]
    assert [line.split()[-1] for line in lines[1:6]] == [str(p) for p in sorted(sounds.iterdir())]
    assert lines[6].endswith("all 5 recordings")
    assert len(lines) == 7


def test_json_has_the_same_figures_and_series_go_to_the_file(
    model: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scores.json"
    score((str(sounds / "*.wav"),), model=model, output=output, json=True)
    facts = printed_json(capsys)
    written = json.loads(output.read_text())
    assert len(facts["recordings"]) == 3
    lengths = [len(recording.pop("series")["start_s"]) for recording in written["recordings"]]
    assert lengths == [5, 6, 6]
    assert written == facts
    with pytest.raises(UserError, match="exists already"):
        score((str(sounds),), model=model, output=output)


def test_a_bad_recording_is_a_line_and_the_rest_is_processed(
    model: str, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sounds / "a-text.wav").write_text("no sound")
    with pytest.raises(SystemExit) as stopped:
        score((str(sounds),), model=model, json=True)
    message = capsys.readouterr()
    assert stopped.value.code == 1
    assert message.err.count("\n") == 1
    assert "a-text.wav" in message.err
    facts = json.loads(message.out)
    assert facts["refused"] == [str(sounds / "a-text.wav")]
    assert len(facts["recordings"]) == 5


def test_only_bad_recordings_leave_no_figures(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    with pytest.raises(SystemExit):
        score((str(tmp_path / "bad.wav"),), model=model, output=tmp_path / "scores.csv", json=True)
    assert json.loads(capsys.readouterr().out) == {"recordings": [], "refused": [str(tmp_path / "bad.wav")]}
    assert not (tmp_path / "scores.csv").exists()


def test_a_threshold_of_normal_recordings_finds_the_others(
    model: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    normal = tmp_path / "normal.json"
    score((str(sounds / "quiet-*"),), model=model, make_threshold=normal, quantile=1.0, window=0.05)
    assert capsys.readouterr().out.splitlines()[-1] == str(normal)
    score((str(sounds),), model=model, threshold=normal, json=True)
    above = {Path(r["recording"]).name: r["above"] for r in printed_json(capsys)["recordings"]}
    assert above == {
        "loud-0.flac": 10,
        "loud-1.flac": 10,
        "quiet-0.wav": 0,
        "quiet-1.wav": 0,
        "quiet-2.wav": 0,
    }
    score((str(sounds),), model=model, threshold=normal)
    assert "2 of 5 recordings with windows above it" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"windows of 0\.05 s, not 0\.1 s"):
        score((str(sounds),), model=model, threshold=normal, window=0.1)
    (Path(model) / "model.safetensors").write_bytes(b"other")
    with pytest.raises(UserError):
        score((str(sounds),), model=model, threshold=normal)


def test_labels_name_the_recordings_and_separate_them(
    model: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{p.relative_to(tmp_path)},{int('loud' in p.name)}" for p in sorted(sounds.iterdir())]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["path,label", *rows]) + "\n")
    score(model=model, labels=labels, json=True)
    facts = printed_json(capsys)
    assert facts["labels"]["mean"] == facts["labels"]["maximum"] == {"auc": 1.0, "pauc": 1.0}
    assert (facts["labels"]["normal"], facts["labels"]["anomalous"]) == (3, 2)
    score((str(sounds / "loud-0.flac"), str(sounds / "quiet-0.wav")), model=model, labels=labels)
    assert "1 anomalous and 1 normal" in capsys.readouterr().out
    write_sound(sounds / "new.wav", tone(500))
    with pytest.raises(UserError, match=r"new\.wav: no row"):
        score((str(sounds),), model=model, labels=labels)


def test_a_picture_for_one_and_a_folder_for_several(model: str, sounds: Path, tmp_path: Path) -> None:
    one = str(sounds / "quiet-0.wav")
    score((one,), model=model, plot=tmp_path / "one.png")
    assert (tmp_path / "one.png").is_file()
    score((str(sounds / "*.flac"),), model=model, plot=tmp_path / "all")
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == ["loud-0.png", "loud-1.png"]
    with pytest.raises(UserError, match="exists already"):
        score((one,), model=model, plot=tmp_path / "one.png")
    with pytest.raises(UserError, match=r"end in \.png"):
        score((one,), model=model, plot=tmp_path / "one.jpg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no recordings named"),
        ({"sounds": ("missing.wav",)}, "no such file"),
        ({"sounds": ("*.xyz",)}, "no file matches"),
        ({"quantile": 2.0}, "above 0 and at most 1"),
        ({"make_threshold": Path("a.json"), "threshold": Path("b.json")}, "leave out"),
        ({"threshold": Path("missing.json")}, "no such threshold"),
        ({"labels": Path("missing.csv")}, "missing.csv: no such file"),
    ],
)
def test_mistakes_are_one_line(
    arguments: dict[str, Any], message: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sounds = arguments.pop("sounds", ())
    with pytest.raises(UserError, match=message) as problem:
        score(sounds, model=model, **arguments)
    assert "\n" not in str(problem.value)


def test_a_window_must_be_longer_than_nothing(model: str, sounds: Path) -> None:
    for window in (0.0, -1.0):
        with pytest.raises(UserError, match="longer than 0"):
            score((str(sounds),), model=model, window=window)
