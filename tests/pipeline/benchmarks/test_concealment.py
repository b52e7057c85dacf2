"""The table has every method at every loss, on the same losses, and marks the best."""

import json

import pytest

from pipeline.benchmarks.concealment import concealment_table, markdown
from pipeline.config.inputs import WaveformConfig
from tests.helpers.builders import tiny_model, tone

METHODS = ["zero", "repeat", "ar", "model alone", "ar, both sides", "blend", "model"]


@pytest.fixture(scope="module")
def table():  # type: ignore[no-untyped-def]
    model = tiny_model(WaveformConfig(sample_rate=8_000))
    return concealment_table(model, [tone(12_000, seed) for seed in (0, 1)], (10, 20), (0.1,), seed=3)


def test_every_method_meets_every_loss(table) -> None:  # type: ignore[no-untyped-def]
    found = [(row["loss"], row["gap_ms"], row["method"]) for row in table["rows"]]
    assert found == [(0.1, gap, method) for gap in (10, 20) for method in METHODS]
    assert table["seconds"] == 3
    assert json.loads(json.dumps(table)) == table


def test_silence_in_place_of_sound_has_a_ratio_of_0_db_and_a_tone_is_continued(table) -> None:  # type: ignore[no-untyped-def]
    for row in table["rows"]:
        assert row["snr_overall_db"] > row["snr_db"]
        if row["method"] == "zero":
            assert row["snr_db"] == 0
        if row["method"] in ("repeat", "ar", "blend"):
            assert row["snr_db"] > 10
            assert row["lsd_db"] < table["rows"][0]["lsd_db"]


def test_the_best_of_each_column_is_bold() -> None:
    measures = {"estoi": None, "pesq": None}
    rows = [
        {"loss": 0.05, "gap_ms": 10, "method": "one", "snr_db": 1.0, "lsd_db": 3.0, **measures},
        {"loss": 0.05, "gap_ms": 10, "method": "two", "snr_db": 2.0, "lsd_db": 4.0, **measures},
    ]
    lines = markdown({"rows": rows, "notes": ["Said so."]}).splitlines()
    assert lines == [
        "| SNR dB | 5%, 10 ms |",
        "|---|---:|",
        "| one | 1.00 |",
        "| two | **2.00** |",
        "",
        "| LSD dB | 5%, 10 ms |",
        "|---|---:|",
        "| one | **3.00** |",
        "| two | 4.00 |",
        "",
        "Said so.",
    ]
