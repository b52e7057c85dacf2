"""The benchmark of small models times three ways for each cell."""

import pytest

import pipeline.benchmarks.together as bench


@pytest.mark.slow
def test_each_cell_is_timed_alone_together_and_in_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "STEPS", 20)
    found = bench.bench_together(2)
    assert [row["cell"] for row in found["rows"]] == list(bench.SIZES)
    for row in found["rows"]:
        ratios = [row[f"{way}_times_plain"] for way in ("alone", "together")]
        assert all(ratio > 0 for ratio in (*ratios, row["together_times_alone"]))
