"""The benchmark of generation times every way, for every number of takes."""

import pytest

import pipeline.benchmarks.generation as bench
from pipeline.config.inputs import WaveformConfig
from pipeline.errors import UserError
from tests.helpers.builders import tiny_model


def test_each_way_is_timed_for_each_number_of_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STEPS", {1: 4, 16: 3, 256: 2})
    rows = bench.bench_generation(tiny_model(WaveformConfig(sample_rate=8_000)))
    assert [row["takes"] for row in rows if "CPU" in row["device"]] == [1, 16, 256]
    for row in rows:
        assert all(row[f"{way}_steps_per_second"] > 0 for way in ("compiled", "torch", "plain"))
        best = max(row["compiled_steps_per_second"], row["torch_steps_per_second"])
        assert row["real_time"] == pytest.approx(best * 10 / 8_000, abs=0.1)


def test_a_model_without_compiled_form_is_refused() -> None:
    with pytest.raises(UserError, match="compiled"):
        bench.bench_generation(tiny_model(architecture="encoder-decoder"))
