"""The study runs from recordings to its tables, and what was trained once is not trained again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.benchmarks.models as bench_models
from pipeline.benchmarks.study.protocol import Protocol
from pipeline.benchmarks.study.reproduce import minutes_of, study
from pipeline.benchmarks.study.speech import HEADINGS, SPEECH_PARTS
from pipeline.common.files import data_dir, read_json
from pipeline.errors import UserError, VariantsFailed
from pipeline.music.midi import KEYS
from tests.helpers.builders import speakers_folder

TINY = [
    "variants={small: {model.cell: gru}}",
    "model.hidden_size=6",
    "model.parameter_budget=null",
    "model.mixture_components=2",
    "train.epochs=1",
    "train.max_minutes=0.01",
    "train.device=cpu",
    "samples.count=0",
]


FEW = Protocol(rates=2, seeds=2)


def write_music(folder: Path) -> Path:
    """A folder with one set of sequences of notes."""
    random = np.random.default_rng(0)
    content: dict[str, Any] = {}
    for split, pieces in (("train", 4), ("valid", 2), ("test", 2)):
        content[f"{split}_rolls"] = (random.random((pieces * 20, KEYS)) < 0.05).astype(np.uint8)
        content[f"{split}_lengths"] = np.full(pieces, 20)
    folder.mkdir()
    np.savez(folder / "hymns.npz", **content)
    return folder


@pytest.mark.slow
def test_a_study_writes_every_table_and_trains_nothing_twice(
    tmp_path: Path, local_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_models, "ROUNDS", 1)
    monkeypatch.setattr(bench_models, "SHAPES", ((4, 6),))
    speech, music = speakers_folder(tmp_path / "speech"), write_music(tmp_path / "music")
    report = study(speech, music, TINY, FEW)
    text = report.read_text()
    for heading in (*HEADINGS.values(), "Music, nats per step", "Time"):
        assert f"### {heading}\n" in text
    tables = [block for block in text.split("### ") if block]
    assert len(tables) == len(HEADINGS) + 2
    for table in tables:
        lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
        columns = {line.count("|") for line in lines}
        assert len(columns) == 1, "rows of one table with different numbers of cells"
        assert set(lines[1]) <= set("|-:")
    for table in tables[:5]:
        assert "| small | " in table
        assert "nan" not in table
    found = read_json(report.with_suffix(".json"), "study")
    assert list(found) == ["environment", "settings", "protocol", *SPEECH_PARTS, "music", "timings"]
    assert list(found["horizons"]["evaluations"]["small"]["horizons"]) == ["1", "5", "20", "80"]
    assert list(found["music"]) == ["hymns"]
    weights = {path: path.stat().st_mtime_ns for path in data_dir().rglob("model.safetensors")}
    assert len(weights) >= 4

    again = read_json(study(speech, music, TINY, FEW).with_suffix(".json"), "study")
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    assert set(data_dir().rglob("model.safetensors")) == set(weights)
    for name in SPEECH_PARTS:
        assert again[name]["evaluations"] == found[name]["evaluations"]
    assert again["music"] == found["music"]


@pytest.mark.parametrize(
    "which",
    [
        "speech",
        "music",
    ],
)
def test_a_missing_folder_is_an_error_before_any_training(which: str, tmp_path: Path) -> None:
    """A mistyped folder of music is reported before the hours of training on speech."""
    speech = speakers_folder(tmp_path / "speech", speakers=1, recordings=1)
    folders = {"speech": speech, "music": speech, which: tmp_path / "mistyped"}
    with pytest.raises(UserError, match="mistyped: no such file or folder") as printed:
        study(folders["speech"], folders["music"], TINY)
    assert "\n" not in str(printed.value)
    assert not (data_dir() / "runs").exists()


@pytest.mark.parametrize("budget", ["", "10", "10 m", "0h", "-1h", "h", "tonight"])
def test_a_budget_is_minutes_or_hours(budget: str) -> None:
    with pytest.raises(UserError, match="--budget") as printed:
        minutes_of(budget)
    assert printed.value.exit_code == 2


def test_without_folders_there_is_nothing_to_study() -> None:
    with pytest.raises(UserError, match="nothing to study"):
        study(None, None)


@pytest.mark.slow
def test_a_part_that_fails_does_not_stop_the_others(
    tmp_path: Path, local_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speech has no split that can be trained on; the timings and the other set of music are there."""
    monkeypatch.setattr(bench_models, "ROUNDS", 1)
    monkeypatch.setattr(bench_models, "SHAPES", ((4, 6),))
    speech, music = speakers_folder(tmp_path / "speech", speakers=1, recordings=1), tmp_path / "music"
    write_music(music)
    (music / "damaged.npz").write_bytes((music / "hymns.npz").read_bytes()[:200])
    with pytest.raises(VariantsFailed, match=r"^speech: .*study: .*horizons: .*damaged: ") as failed:
        study(speech, music, TINY, FEW)
    assert "\n" not in str(failed.value)
    text = failed.value.summary.read_text()
    assert "| small | " in text.split("### Music, nats per step")[1]
    assert HEADINGS["speech"] not in text
    assert "### Time\n" in text
