"""Figures of recordings and groups: the worst first, and averaged as the whole split is."""

from typing import Any

import pytest

from pipeline.reports.recordings import MOST_ROWS, table_of_groups, table_of_recordings


def recording(
    name: str, group: str, bits: float | None, values: int = 100, nats: float = 1.0
) -> dict[str, Any]:
    figures = {"bits_per_sample": bits, "nats_per_step": nats}
    return {"name": name, "group": group, "seconds": values / 100, "values": values, **figures}


FOUND = [recording("a1", "a", 8.0), recording("a2", "a", 11.0, 300), recording("b1", "b", 10.5)]


def test_the_worst_recording_and_the_worst_group_come_first() -> None:
    assert [row["name"] for row in table_of_recordings(FOUND).rows] == ["a2", "b1", "a1"]
    groups = table_of_groups(FOUND)
    assert groups is not None
    assert [row["name"] for row in groups.rows] == ["b", "a"]


def test_a_group_weighs_its_recordings_by_their_length() -> None:
    groups = table_of_groups(FOUND)
    assert groups is not None
    (row,) = [row for row in groups.rows if row["name"] == "a"]
    assert row["bits_per_sample"] == pytest.approx((8 * 100 + 11 * 300) / 400)
    assert (row["recordings"], row["seconds"]) == (2, 4.0)


def test_recordings_that_are_their_own_groups_need_one_table_only() -> None:
    assert table_of_groups([recording("a", "a", 8.0), recording("b", "b", 9.0)]) is None


def test_frames_have_no_bits_and_are_ordered_by_their_nats() -> None:
    found = [recording(f"{nats}", "all", None, nats=nats) for nats in (1.0, 3.0, 2.0)]
    assert [row["name"] for row in table_of_recordings(found).rows] == ["3.0", "2.0", "1.0"]
    groups = table_of_groups(found)
    assert groups is not None
    assert groups.rows[0]["nats_per_step"] == pytest.approx(2.0)
    assert groups.rows[0]["bits_per_sample"] is None


def test_a_long_table_keeps_the_worst_and_counts_the_others() -> None:
    found = [recording(f"{i}", "all", float(i)) for i in range(MOST_ROWS + 7)]
    table = table_of_recordings(found)
    assert (len(table.rows), table.more) == (MOST_ROWS, 7)
    assert table.rows[0]["name"] == f"{MOST_ROWS + 6}"
