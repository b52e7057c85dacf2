"""Gaps are exactly those of the trace, the table or the runs of zeros."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.concealment.gaps import (
    NO_GAPS,
    gap_mask,
    gaps_of_table,
    gaps_of_trace,
    merged,
    random_losses,
    zero_runs,
)
from pipeline.errors import UserError
from tests.helpers.builders import noise

RATE = 8_000


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text", ["0 1 1 0 0 1", "0\n1\n1\n0\n0\n1\n", "0,1,1,0,0,1", "0 1 1\n0 0 1", "\ufeff0 1 1 0 0 1"]
)
def test_a_trace_has_an_entry_for_every_packet(tmp_path: Path, text: str) -> None:
    """Packets lost in a row are one gap."""
    trace = written(tmp_path / "trace.txt", text)
    assert gaps_of_trace(trace, 0.02, RATE, 10_000).tolist() == [[160, 480], [800, 960]]


def test_a_trace_may_end_before_the_sound_or_after(tmp_path: Path) -> None:
    trace = written(tmp_path / "trace.txt", "0 1 0 1 1 1 1 1")
    assert gaps_of_trace(trace, 0.02, RATE, 600).tolist() == [[160, 320], [480, 600]]
    assert gaps_of_trace(trace, 0.02, RATE, 160).tolist() == []
    assert gaps_of_trace(written(trace, "0 0"), 0.02, RATE, 600).tolist() == []


def test_packets_of_a_fraction_of_a_sample_do_not_drift(tmp_path: Path) -> None:
    """20 ms at 11,025 Hz are 220.5 samples."""
    trace = written(tmp_path / "trace.txt", "0 " * 1_000 + "1")
    assert gaps_of_trace(trace, 0.02, 11_025, 10**6)[0, 0] == 220_500


@pytest.mark.parametrize("text", ["", "  \n", "0 2 1", "0 1 x", "0 1.0", "-1"])
def test_a_faulty_trace_is_reported_in_one_line(tmp_path: Path, text: str) -> None:
    trace = written(tmp_path / "trace.txt", text)
    with pytest.raises(UserError, match=r"trace\.txt.*a 0 \(arrived\) or a 1 \(lost\)") as message:
        gaps_of_trace(trace, 0.02, RATE, 1_000)
    assert "\n" not in str(message.value)


def test_a_missing_or_binary_file_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        gaps_of_trace(tmp_path / "none.txt", 0.02, RATE, 1_000)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match=r"binary\.csv: not a table"):
        gaps_of_table(tmp_path / "binary.csv", RATE, 1_000)


def test_a_table_may_be_in_any_order_overlap_and_reach_past_the_end(tmp_path: Path) -> None:
    lines = "start_s, end_s, why\n0.10,0.12,a\n0.0,0.01,b\n0.115, 0.13,c\n0.13,0.14,d\n0.9,2,e\n3,4,f\n"
    table = written(tmp_path / "gaps.csv", lines)
    assert gaps_of_table(table, 1_000, 1_000).tolist() == [[0, 10], [100, 140], [900, 1_000]]
    assert gaps_of_table(written(table, "end_s,start_s\n"), 1_000, 1_000).tolist() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'start_s'; the first line names: none"),
        ("0.1,0.2\n", "no column 'start_s'"),
        ("start_s\n0.1\n", "no column 'end_s'"),
        ("start_s,end_s\n0.1,x\n", "line 2: start_s and end_s must be seconds"),
        ("start_s,end_s\n0.1,0.2\n0.3\n", "line 3"),
        ("start_s,end_s\n0.2,0.1\n", "line 2: give 0 <="),
        ("start_s,end_s\n-1,0.1\n", "line 2: give 0 <="),
        ("start_s,end_s\nnan,0.1\n", "line 2: give 0 <="),
        ("start_s,end_s\n0,inf\n", "line 2: give 0 <="),
    ],
)
def test_a_faulty_table_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        gaps_of_table(written(tmp_path / "gaps.csv", text), RATE, 1_000)


def sound(count: int = 16_000) -> np.ndarray:
    samples = noise(count)
    samples[samples == 0] = 1
    return samples


def test_runs_of_zeros_between_sounds_are_gaps() -> None:
    samples = sound()
    samples[1_000:1_040] = samples[2_000:2_039] = samples[5_000:9_000] = samples[12_000:12_001] = 0
    assert zero_runs(samples, RATE, 0.005).tolist() == [[1_000, 1_040], [5_000, 9_000]]
    assert zero_runs(samples, RATE, 0.0).tolist()[:2] == [[1_000, 1_040], [2_000, 2_039]]


def test_silence_is_not_repaired() -> None:
    """At the beginning and the end, for more than half a second, or where there is nothing else."""
    samples = sound()
    samples[:100] = samples[-100:] = samples[5_000:9_001] = 0
    assert len(zero_runs(samples, RATE, 0.005)) == 0
    for silent in (np.zeros(3_000, np.int16), np.zeros(0, np.int16), sound()):
        assert len(zero_runs(silent, RATE, 0.005)) == 0


@given(
    st.lists(st.tuples(st.integers(-20, 120), st.integers(-20, 120)).map(sorted), max_size=8),
    st.integers(0, 100),
)
def test_gaps_cover_what_the_stretches_cover(stretches: list[list[int]], length: int) -> None:
    gaps = merged(np.array(stretches).reshape(-1, 2), length)
    covered = np.zeros(length, bool)
    for start, stop in stretches:
        covered[max(0, start) : max(0, stop)] = True
    assert np.array_equal(gap_mask(gaps, length), covered)
    assert (gaps[:, 0] < gaps[:, 1]).all()
    assert (gaps[1:, 0] > gaps[:-1, 1]).all()


def test_losses_are_as_many_as_asked_for_and_the_same_for_a_seed() -> None:
    gaps = random_losses(1_000_000, 100, 0.2, 5_000, seed=3)
    lost = gap_mask(gaps, 1_000_000)
    assert abs(lost[5_000:].mean() - 0.2) < 4 * (0.2 * 0.8 / 9_950) ** 0.5
    assert not lost[:5_000].any()
    assert (gaps % 100 == 0).all()
    assert np.array_equal(gaps, random_losses(1_000_000, 100, 0.2, 5_000, seed=3))
    assert not np.array_equal(gaps[:50], random_losses(1_000_000, 100, 0.2, 5_000, seed=4)[:50])
    assert len(random_losses(1_000, 100, 0.0, 0, seed=0)) == 0
    assert random_losses(1_050, 100, 1.0, 150, seed=0).tolist() == [[200, 1_000]]


def test_no_gaps_cover_nothing() -> None:
    assert not gap_mask(NO_GAPS, 5).any()
