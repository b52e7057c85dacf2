"""The benchmark of growth measures each size in a fresh process; hours of audio cost no memory."""

import json
from pathlib import Path

import pytest

from pipeline.benchmarks.growth.axes import MIDDLE, bench_growth, limits
from tests.helpers.cli import caller, refused


def test_limits_are_those_of_products_and_of_reading_all_weights() -> None:
    rates = {"product_flops": 6e9, "memory_bytes": 8e9}
    found = limits({"parameters": 1_000, "lanes": 10}, rates)
    assert found == {"product_limit": 1e6, "memory_limit": 1e7}


@pytest.mark.slow
def test_the_memory_of_a_training_is_flat_in_hours_of_audio(tmp_path: Path) -> None:
    rows = bench_growth("gru", {"hours": (1, 20)}, MIDDLE, folder=tmp_path)["axes"]["hours"]
    one, twenty = (row["private_mib"] for row in rows)
    assert twenty - one < 20, "19 hours more are 2.2 GB of rows, and were 27 MiB of plans"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_quick_form_writes_figures_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wavecast, picture = caller(monkeypatch, capsys), tmp_path / "growth.png"
    measured = wavecast("bench", "growth", "--quick", "--plot", picture, "--json")
    notices = [line for line in measured.error.splitlines() if "PyTorch's kernels" in line]
    assert len(notices) == len(set(notices)) == 2, "updates of 40 steps, and of 20"
    found = json.loads(measured.out)
    assert list(found["axes"]) == ["hidden_size", "bptt_steps", "lanes", "hours"]
    for axis, rows in found["axes"].items():
        assert len({row[axis] for row in rows}) == 2
        assert all(row["steps_per_second"] > 0 and row["private_mib"] > 50 for row in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused(wavecast("bench", "growth", "--plot", picture), 1, "--overwrite")


def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wavecast = caller(monkeypatch, capsys)
    refused(wavecast("bench", "growth", "--hours", "0"), 2, "--hours must be above 0")
    refused(wavecast("bench", "growth", "--cell", "gur"), 2, "cell must be one of")
