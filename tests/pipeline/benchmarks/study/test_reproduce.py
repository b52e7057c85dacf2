"""The study runs from recordings to its tables, and what was trained once is not trained again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.benchmarks.study.protocol import Protocol
from pipeline.benchmarks.study.reproduce import minutes_of, study
from pipeline.common.files import data_dir, read_json
from pipeline.errors import UserError, VariantsFailed
from pipeline.music.midi import KEYS
from tests.helpers.builders import speakers_folder

TINY = [
    "variants={tanh: {model.cell: tanh}, gru: {model.cell: gru}}",
    "model.hidden_size=6",
    "model.mixture_components=2",
    "train.epochs=2",
    "train.device=cpu",
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
def test_a_study_writes_its_tables_and_trains_nothing_twice(tmp_path: Path, local_store: Path) -> None:
    """Tables, verdicts, curves and figures of speech and of music; then the same from what is kept."""
    speech, music = speakers_folder(tmp_path / "speech", samples=9_000), write_music(tmp_path / "music")
    report = study(speech, music, TINY, FEW)
    text, found = report.read_text(), read_json(report.with_suffix(".json"), "study")
    for heading in ("Speech", "Music"):
        table = text.split(f"### {heading}, nats per step\n")[1].split("### ")[0]
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1, (
            "rows of one table with different numbers of cells"
        )
        assert set(lines[1]) <= set("|-:")
        assert "nan" not in table
    assert set(found["speech"]) == {"speech-500", "speech-8000"}
    assert set(found["music"]) == {"hymns"}
    for name, units in {**found["speech"], **found["music"]}.items():
        assert (report.parent / f"{name}.png").stat().st_size > 1_000
        assert set(units) == {"gru", "tanh"}
        for figures in units.values():
            assert all(len(figures[key]) == FEW.seeds for key in ("runs", "test", "train", "valid", "curves"))
            assert len(set(figures["valid"])) == FEW.seeds, "seeds give different trainings"
            assert all((data_dir() / run / "run.json").is_file() for run in figures["runs"])
            assert not any(Path(run).is_absolute() for run in figures["runs"])
    assert "test_bits" in found["speech"]["speech-500"]["gru"]
    assert "are reached by tanh after" in text
    kept = {path: path.stat().st_mtime_ns for path in data_dir().rglob("model.safetensors")}
    assert len(kept) == 3 * 2 * (FEW.rates + FEW.seeds - 1)

    assert study(speech, music, TINY, FEW).read_text() == text
    assert {path: path.stat().st_mtime_ns for path in data_dir().rglob("model.safetensors")} == kept


@pytest.mark.parametrize("which", ["speech", "music"])
def test_a_missing_folder_is_an_error_before_any_training(which: str, tmp_path: Path) -> None:
    """A mistyped folder of music is reported before the hours of training on speech."""
    speech = speakers_folder(tmp_path / "speech", speakers=1, recordings=1)
    folders = {"speech": speech, "music": speech, which: tmp_path / "mistyped"}
    with pytest.raises(UserError, match="mistyped: no such file or folder") as printed:
        study(folders["speech"], folders["music"], TINY)
    assert "\n" not in str(printed.value)
    assert not (data_dir() / "runs").exists()


@pytest.mark.parametrize("budget", ["", "10", "10 m", "0h", "-1h", "h", "tonight"])
def test_a_budget_is_a_time_with_its_unit(budget: str) -> None:
    with pytest.raises(UserError, match="--budget") as printed:
        minutes_of(budget)
    assert printed.value.exit_code == 2


def test_without_folders_there_is_nothing_to_study() -> None:
    with pytest.raises(UserError, match="nothing to study"):
        study(None, None)


@pytest.mark.slow
def test_a_set_that_fails_does_not_stop_the_others(tmp_path: Path, local_store: Path) -> None:
    """The speech is too short for sequences and a set of music is damaged; the other set is there."""
    speech, music = speakers_folder(tmp_path / "speech", samples=100), write_music(tmp_path / "music")
    (music / "damaged.npz").write_bytes((music / "hymns.npz").read_bytes()[:200])
    with pytest.raises(VariantsFailed, match=r"^speech-500: .*speech-8000: .*damaged: ") as failed:
        study(speech, music, TINY, FEW)
    assert "\n" not in str(failed.value)
    text = failed.value.summary.read_text()
    assert "| hymns | GRU | " in text
    assert "### Speech" not in text
