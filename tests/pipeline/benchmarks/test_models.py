"""The benchmark of parts takes its cells and their sizes from the registry."""

import pytest

import pipeline.benchmarks.models as bench
from models.recurrent.cells import CELLS


def test_every_cell_is_timed_against_a_kernel_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "HEADS", {"diagonal, 20": bench.HEADS["diagonal, 20"]})
    found = bench.bench_models()
    assert list(found["cells"]) == ["chung2014-tanh", "chung2014-gru", "chung2014-lstm", "mingru"]
    assert list(found["heads"]) == [f"{name}, diagonal, 20" for name in ("tanh", "gru", "lstm")]
    assert all(ratio > 0 for table in (found["cells"], found["heads"]) for ratio in table.values())
    for name in found["cells"]:
        other = CELLS[name].timed_against or ""
        assert CELLS[other].is_torchs, "the unit of time is a kernel of the library"
