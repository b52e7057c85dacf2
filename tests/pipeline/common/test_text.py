import pytest

from pipeline.common.text import clock, duration, time_unit


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.00125, "1.25 ms"),
        (0.5, "500 ms"),
        (1, "1.0 s"),
        (75, "75.0 s"),
        (600, "10.0 min"),
        (7_300, "2.0 h"),
        (216_000, "60 h"),
        (4_320_000, "50.0 days"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_an_axis_of_times_has_numbers_that_read_well() -> None:
    assert [time_unit(s) for s in (0, 599, 600, 7_199, 7_200)] == [
        (1.0, "s"),
        (1.0, "s"),
        (60.0, "min"),
        (60.0, "min"),
        (3600.0, "h"),
    ]


def test_a_clock_counts_minutes_and_hours() -> None:
    assert [clock(s) for s in (0, 59.6, 3_599, 3_600, 90_061)] == [
        "0:00:00",
        "0:01:00",
        "0:59:59",
        "1:00:00",
        "25:01:01",
    ]
