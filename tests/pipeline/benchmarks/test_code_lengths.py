"""The table of code lengths has every code, and files of the size that the code lengths promise."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.code_lengths import code_length_table, markdown
from pipeline.compression.codec import CodingModel
from pipeline.errors import UserError
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import noise, tone, write_sound


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    return [write_sound(tmp_path / f"{n}.wav", tone(4_000 + 500 * n, n)) for n in range(2)]


def test_every_code_is_measured_on_the_same_samples(sound_model: Path, recordings: list[Path]) -> None:
    table = code_length_table(CodingModel.load(sound_model, "model"), recordings)
    found = table["bits_per_sample"]
    assert list(found) == ["flac", "adaptive", "network", "with_experts", "fast_file", "file"]
    rows = table["of_recordings"]
    assert [row["recording"] for row in rows] == ["0.wav", "1.wav"]
    for name in set(found) - {"flac"}:
        expected = np.average([row[name] for row in rows], weights=[4_000, 4_500])
        assert found[name] == pytest.approx(expected, abs=1e-3)
    overhead = 8 * 500 / 4_000  # of header and checksum
    assert found["adaptive"] < found["fast_file"] < found["adaptive"] + overhead
    assert found["with_experts"] < found["file"] < found["with_experts"] + overhead
    assert table["seconds"] == round(8_500 / 8_000, 2)
    assert json.loads(json.dumps(table)) == table
    assert markdown(table) == table["markdown"]
    assert table["markdown"].count("**") == 2


def test_without_a_model_its_codes_are_left_out(recordings: list[Path]) -> None:
    table = code_length_table(None, recordings)
    assert list(table["bits_per_sample"]) == ["flac", "adaptive", "fast_file"]
    assert "network alone" not in table["markdown"]


def test_recordings_of_another_form_are_rejected(sound_model: Path, tmp_path: Path) -> None:
    stereo = write_sound(tmp_path / "stereo.wav", np.stack([noise(300)] * 2, 1))
    with pytest.raises(UserError, match="2 channels of 16 bits, not one of 16"):
        code_length_table(None, [stereo])
    fast = write_sound(tmp_path / "fast.wav", noise(300), 22_050)
    with pytest.raises(UserError, match=r"fast\.wav: 22050 Hz, not 8000 Hz"):
        code_length_table(CodingModel.load(sound_model, "model"), [fast])


@pytest.mark.parametrize("name", ["readers", "digits"])
def test_the_measurement_agrees_with_the_figures_of_its_recordings(name: str) -> None:
    folder = PROJECT_ROOT / "docs" / "results"
    measured = json.loads((folder / f"compression-{name}.json").read_text())
    found, rows = measured["bits_per_sample"], measured["of_recordings"]
    assert len(rows) == measured["recordings"]
    samples = [row["samples"] for row in rows]
    for code in set(found) - {"flac"}:
        assert found[code] == pytest.approx(
            np.average([row[code] for row in rows], weights=samples), abs=1e-3
        )
