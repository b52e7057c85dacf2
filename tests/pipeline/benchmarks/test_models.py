"""The benchmark of updates and cells takes its cells and their sizes from the registry."""

import pytest

import pipeline.benchmarks.models as bench
from models.recurrent.cells import CELLS


@pytest.mark.slow
def test_every_cell_is_timed_against_a_kernel_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "SHAPES", ((4, 6),))
    monkeypatch.setattr(bench, "HEADS", {"diagonal, 20": bench.HEADS["diagonal, 20"]})
    found = bench.bench_models()
    assert list(found["cells"]) == ["chung2014-tanh", "chung2014-gru", "chung2014-lstm", "mingru"]
    for name in found["cells"]:
        other = CELLS[name].timed_against or ""
        assert CELLS[other].is_torchs, "the unit of time is a kernel of the library"
    sized = [cell.name for cell in CELLS.values() if cell.size]
    assert [row["cell"] for row in found["updates"] if row["threads"] == 1] == sized
    for row in found["updates"]:
        assert row["times_plain"] > 0
        assert row["head_share"] > 0
        assert 0 < row["product_share"] < 1
        assert 0 < row["serial_share"] < 1
