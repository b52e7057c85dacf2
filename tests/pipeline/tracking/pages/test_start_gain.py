"""Cost and gain of a training that started from another model, in words and rows."""

from typing import Any

from pipeline.tracking.pages.run_page import describe
from pipeline.tracking.pages.start_gain import start_gain
from tests.pipeline.tracking.pages.test_run_page import DESCRIPTION

SUMMARY = {
    "start_minutes": 3.0,
    "start_valid_nats_per_step": 2.5,
    "start_gained_nats_per_step": 0.5,
    "start_valid_bits_at_start": 9.5,
    "start_valid_bits_at_end": 9.25,
    "start_anew_minutes": 12.5,
    "start_anew_run": "nightly-1",
    "start_valid_bits_at_anew": 9.75,
}


def status(*missing: str) -> dict[str, Any]:
    summary = {name: x for name, x in SUMMARY.items() if name not in missing}
    return {"status": "finished", "start": {"from": "wavecast-nightly/1"}, "summary": summary}


def test_minutes_and_bits_stand_beside_those_of_the_recorded_training_from_new_weights() -> None:
    gain = start_gain(status())
    assert gain is not None
    assert gain.gained == 0.25
    assert gain.sentence == (
        "3.0 min of training from the weights of wavecast-nightly/1 improved the validation loss by 0.250 "
        "bits per sample, from 9.500 to 9.250. A training from new weights took 12.5 min and reached 9.750 "
        "on the validation recordings of then, as recorded of nightly-1"
    )
    assert [(row.minutes, row.loss) for row in gain.rows] == [(None, 9.5), (3.0, 9.25), (12.5, 9.75)]
    assert "of then, as recorded of nightly-1" in describe(DESCRIPTION, status() | FIGURE)


FIGURE = {"summary": {**SUMMARY, "test_bits_per_sample": 9.4}}


def test_what_was_not_recorded_is_left_out() -> None:
    bits = [name for name in SUMMARY if "bits" in name]
    gain = start_gain(status("start_anew_minutes", *bits))
    assert gain is not None
    assert (gain.unit, gain.gained, len(gain.rows)) == ("nats per step", 0.5, 2)
    assert "from 2.500 to 2.000" in gain.sentence
    assert start_gain({"status": "finished", "summary": {"test_bits_per_sample": 9.4}}) is None
    assert start_gain({"status": "running"}) is None
