"""Table, JSON and arrays hold the same numbers; the picture marks windows above the threshold."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray

from pipeline.config.inputs import SpectrogramConfig
from pipeline.errors import UserError
from pipeline.scoring.plot import ABOVE_COLOUR, FAINT_ALPHA, surprisal_picture
from pipeline.scoring.recordings import score_samples
from pipeline.scoring.tables import Scores, check_scores_output, scores_facts, write_scores
from pipeline.scoring.thresholds import Verdict, make_threshold
from tests.helpers.builders import noise, tiny_model, tone

RATE = 8_000


def scores_of(*lengths: int) -> Scores:
    model = tiny_model()
    return {Path(f"{n}, é.wav"): score_samples(model, [tone(length, n)]) for n, length in enumerate(lengths)}


@pytest.mark.parametrize("lengths", [(4_321,), (2_000, 1, 1_234)])
def test_the_three_formats_agree(lengths: tuple[int, ...], tmp_path: Path) -> None:
    scores = scores_of(*lengths)
    for suffix in (".csv", ".json", ".npz"):
        write_scores(tmp_path / f"scores{suffix}", scores, scores_facts(scores, {}))
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    recordings = json.loads((tmp_path / "scores.json").read_text())["recordings"]
    arrays = np.load(tmp_path / "scores.npz")
    assert (
        list(arrays["recordings"]) == [str(path) for path in scores] == [r["recording"] for r in recordings]
    )
    for number, (path, score) in enumerate(scores.items()):
        here = slice(*arrays["offset"][number : number + 2])
        rows = [row for row in table if row["recording"] == str(path)]
        expected = {
            "start_s": score.start_s,
            "nats_per_step": score.nats_per_step_series,
            "bits_per_sample": score.bits_per_sample_series,
        }
        for name, column in expected.items():
            assert column is not None
            assert [float(row[name]) for row in rows] == column.tolist()
            assert recordings[number]["series"][name] == column.tolist()
            assert arrays[name][here].tolist() == column.tolist()
        assert recordings[number]["bits_per_sample"] == score.bits_per_sample


def test_where_there_are_no_bits_there_is_no_column(tmp_path: Path) -> None:
    model = tiny_model(SpectrogramConfig(kind="spectrogram", sample_rate=RATE, n_mels=8))
    scores = {Path("a.wav"): score_samples(model, [noise(4_000)])}
    facts = scores_facts(scores, {})
    for suffix in (".csv", ".json", ".npz"):
        write_scores(tmp_path / f"scores{suffix}", scores, facts)
    assert (tmp_path / "scores.csv").read_text().splitlines()[0] == "recording,start_s,nats_per_step"
    assert "bits_per_sample" not in np.load(tmp_path / "scores.npz")
    assert json.loads((tmp_path / "scores.json").read_text())["bits_per_sample"] is None


def test_facts_are_those_of_all_recordings_and_of_each() -> None:
    scores = scores_of(2_000, 1_000)
    second = list(scores)[1]
    facts = scores_facts(scores, {second: Verdict(1, 2, 9.5, 0.1)}, [Path("bad.wav")])
    bits = [recording["bits_per_sample"] for recording in facts["recordings"]]
    assert facts["bits_per_sample"] == pytest.approx((2 * bits[0] + bits[1]) / 3)
    assert facts["seconds"] == 3_000 / RATE
    assert facts["refused"] == ["bad.wav"]
    assert "above" not in facts["recordings"][0]
    assert facts["recordings"][1]["highest"] == 9.5
    json.dumps(facts, allow_nan=False)


def test_a_file_of_scores_has_a_known_suffix_and_is_not_replaced_unasked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.csv, \.json, \.npz"):
        check_scores_output(tmp_path / "scores.txt", overwrite=True)
    path = tmp_path / "scores.CSV"
    check_scores_output(path, overwrite=False)
    path.touch()
    with pytest.raises(UserError, match="exists already"):
        check_scores_output(path, overwrite=False)
    check_scores_output(path, overwrite=True)


def marked_columns(tmp_path: Path, burst_s: float, seconds: float = 6.0) -> NDArray[np.int64]:
    """Return the picture's columns where a burst above the threshold is marked."""
    model, samples = tiny_model(), noise(round(seconds * RATE), std=300.0)
    threshold = make_threshold([score_samples(model, [samples])], 1.0, "model")
    begin = round(burst_s * RATE)
    samples[begin : begin + RATE // 2] = noise(RATE // 2, 1, std=9_000.0)
    path = tmp_path / f"{burst_s}.png"
    score = score_samples(model, [samples])
    surprisal_picture(path, [samples], RATE, score, "a $burst", threshold)
    picture = imread(path)[:, :, :3]
    tint = np.multiply(to_rgb(ABOVE_COLOUR), FAINT_ALPHA) + 1 - FAINT_ALPHA
    marked: NDArray[np.int64] = np.flatnonzero((np.abs(picture - tint).max(2) < 0.02).sum(0) > 50)
    return marked


@pytest.mark.slow
def test_what_lies_above_the_threshold_is_marked_at_its_time(tmp_path: Path) -> None:
    columns = [marked_columns(tmp_path, burst_s) for burst_s in (1.0, 3.0, 5.0)]
    first, middle, last = (float(found.mean()) for found in columns)
    assert middle - first == pytest.approx(last - middle, abs=2)
    second_px = (middle - first) / 2
    assert all(len(found) == pytest.approx(second_px / 2, abs=6) for found in columns)


@pytest.mark.thinned(9)
@pytest.mark.parametrize("samples", [noise(1), np.zeros(500, np.int16), tone(RATE * 70)])
def test_every_recording_has_a_picture(samples: NDArray[np.int16], tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    surprisal_picture(path, [samples], RATE, score_samples(tiny_model(), [samples], 0.02), "title")
    assert imread(path).shape == (680, 1200, 4)
