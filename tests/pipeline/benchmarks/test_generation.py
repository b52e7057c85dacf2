"""The benchmark of generation times every way, for every number of takes."""

import pytest

import pipeline.benchmarks.generation as bench
from models.recurrent.cells import CELLS
from pipeline.config.inputs import WaveformConfig
from tests.helpers.builders import tiny_model


def test_each_way_is_timed_for_each_number_of_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STEPS", {1: 4, 16: 3, 256: 2})
    rows = bench.bench_generation(tiny_model(WaveformConfig(sample_rate=8_000)))
    assert [row["takes"] for row in rows if "CPU" in row["device"]] == [1, 16, 256]
    for row in rows:
        assert all(row[f"{way}_steps_per_second"] > 0 for way in ("compiled", "torch", "plain"))
        best = max(row["compiled_steps_per_second"], row["torch_steps_per_second"])
        assert row["real_time"] == pytest.approx(best * 10 / 8_000, abs=0.1)


def test_a_model_without_compiled_form_is_timed_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STEPS", {1: 4, 16: 3, 256: 2})
    for row in bench.bench_generation(tiny_model(cell="mingru")):
        assert (row["cell"], row["ratio"]) == ("mingru", 1.0)
        assert row["torch_steps_per_second"] > 0
        assert "compiled_steps_per_second" not in row
        assert "plain_steps_per_second" not in row


def test_every_cell_with_a_size_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BATCHES", (1,))
    monkeypatch.setattr(bench, "STEPS", {1: 2})
    monkeypatch.setattr(bench, "ROUNDS", 1)
    on_cpu = [row["cell"] for row in bench.bench_generation() if "CPU" in row["device"]]
    assert on_cpu == [name for name, cell in CELLS.items() if cell.size]
    assert "mingru" in on_cpu
