"""Thresholds have the share of windows that they were made for; detection metrics match the figures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.common.files import CHECKSUM, write_json
from pipeline.errors import UserError
from pipeline.scoring.detection_metrics import labels_of, read_labels, separation
from pipeline.scoring.thresholds import (
    Threshold,
    check_same_scoring,
    judge,
    judged_stretches,
    make_threshold,
    model_identity,
    read_threshold,
    write_threshold,
)
from pipeline.scoring.windows import RecordingScore

MODEL = "0123456789abcdef" * 4


def scored(series: list[float], last: int = 800, exact: bool = True) -> RecordingScore:
    """A recording with these figures in windows of 0.1 s of 800 values; the last may have fewer."""
    values = np.full(len(series), 800)
    values[-1] = last
    figures = np.array(series, float)
    mean = float(np.average(figures, weights=values))
    return RecordingScore(
        seconds=float(values.sum()) / 8_000,
        nats_per_step=mean,
        bits_per_sample=mean if exact else None,
        window_s=0.1,
        start_s=np.arange(len(series)) / 10,
        nats_per_step_series=figures,
        bits_per_sample_series=figures if exact else None,
        values=values,
    )


FIGURES = st.lists(st.floats(0, 30), min_size=1, max_size=40)


@given(recordings=st.lists(FIGURES, min_size=1, max_size=5), quantile=st.floats(0.01, 1))
def test_no_larger_share_of_the_normal_stretches_lies_above_the_threshold(
    recordings: list[list[float]], quantile: float
) -> None:
    scores = [scored(series) for series in recordings]
    threshold = make_threshold(scores, quantile, MODEL)
    verdicts = [judge(score, threshold) for score in scores]
    total = sum(len(series) for series in recordings)
    assert threshold.stretches == total == sum(verdict.stretches for verdict in verdicts)
    above = sum(verdict.above for verdict in verdicts)
    assert above <= (1 - quantile) * total + 1e-6
    figures = np.concatenate(recordings)
    lower = figures[figures < threshold.value]
    if len(lower):  # the next lower figure would let too few through
        assert (figures > lower.max()).sum() > (1 - quantile) * total - 1e-6


def test_a_verdict_has_count_maximum_and_its_time() -> None:
    threshold = make_threshold([scored(list(range(101)))], 0.9, MODEL)
    assert threshold.value == 90
    found = judge(scored([3, 95, 90, 99.5, 1]), threshold)
    assert (found.above, found.stretches, found.highest, found.highest_at_s) == (2, 5, 99.5, 0.3)


def test_a_shorter_last_stretch_is_judged_only_where_it_is_alone() -> None:
    assert judged_stretches(scored([1, 2, 50], last=10)).tolist() == [1, 2]
    assert judged_stretches(scored([1, 2, 50])).tolist() == [1, 2, 50]
    assert judged_stretches(scored([50], last=10)).tolist() == [50]


def test_a_threshold_comes_back_from_its_file(tmp_path: Path) -> None:
    threshold = make_threshold([scored([1, 2, 7.3]), scored([4], exact=True)], 0.99, MODEL)
    write_threshold(tmp_path / "normal.json", threshold)
    assert read_threshold(tmp_path / "normal.json") == threshold
    assert make_threshold([scored([1.0], exact=False)], 0.5, MODEL).figure == "nats_per_step"


@pytest.mark.parametrize("quantile", [0, -1, 1.01, float("nan")])
def test_a_quantile_is_a_share(quantile: float) -> None:
    with pytest.raises(UserError, match="above 0 and at most 1"):
        make_threshold([scored([1.0])], quantile, MODEL)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": "wavecast-threshold-1"}', "\0\0", '{"format": "wavecast-model-2"}'],
)
def test_another_file_is_no_threshold(content: str, tmp_path: Path) -> None:
    path = tmp_path / "normal.json"
    path.write_text(content)
    with pytest.raises(UserError, match=str(path)):
        read_threshold(path)
    with pytest.raises(UserError, match="no such threshold"):
        read_threshold(tmp_path / "missing.json")


@pytest.mark.parametrize("field", ["value", "model", "window_s", "figure"])
@pytest.mark.parametrize("wrong", [None, [], float("nan")])
def test_a_damaged_threshold_is_an_error(field: str, wrong: Any, tmp_path: Path) -> None:
    path = tmp_path / "normal.json"
    write_threshold(path, make_threshold([scored([1.0])], 0.5, MODEL))
    content = json.loads(path.read_text()) | {field: wrong}
    write_json(path, {key: value for key, value in content.items() if key != CHECKSUM})
    with pytest.raises(UserError, match=f"damaged threshold \\({field}"):
        read_threshold(path)


def test_a_threshold_of_another_model_or_window_is_rejected() -> None:
    threshold: Threshold = make_threshold([scored([1.0])], 0.5, MODEL)
    check_same_scoring(threshold, MODEL, 0.1)
    with pytest.raises(UserError, match="weights 0123456789ab"):
        check_same_scoring(threshold, MODEL[::-1], 0.1)
    with pytest.raises(UserError, match=r"windows of 0\.1 s, not 0\.2 s"):
        check_same_scoring(threshold, MODEL, 0.2)
    with pytest.raises(UserError, match="leave out --window"):
        check_same_scoring(replace(threshold, window_s=0.3), MODEL, 0.1)


def test_a_model_is_identified_by_its_weights(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    first, same, other = (model_identity(tmp_path / name) for name in "abc")
    assert first == same != other


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_relative_to_their_table(tmp_path: Path) -> None:
    found = read_labels(table(tmp_path, "label,path\n1,odd.wav\nNormal, sub/../fine.wav\n0,/far/fine.wav\n"))
    assert found == {tmp_path / "odd.wav": True, tmp_path / "fine.wav": False, Path("/far/fine.wav"): False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'path'"),
        ("path,kind\na.wav,1\n", "no column 'label'"),
        ("path,label\n", "no rows"),
        ("path,label\na.wav,2\n", "line 2: label '2' is none of"),
        ("path,label\na.wav,1\nb.wav\n", "line 3: label '' is none of"),
        ("path,label\n,1\n", "line 2: the path is missing"),
        ("path,label\na.wav,1\n./a.wav,0\n", "line 3: ./a.wav is labelled both"),
        ('path,label\n"a.wav,1\n', "not a table"),
    ],
)
def test_errors_in_a_table_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as problem:
        read_labels(table(tmp_path, text))
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)
    assert "labels.csv" in str(problem.value)


def test_a_missing_or_binary_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.csv: no such file"):
        read_labels(tmp_path / "missing.csv")
    (tmp_path / "sound.csv").write_bytes(b"RIFF\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="not a table"):
        read_labels(tmp_path / "sound.csv")


def test_every_recording_needs_a_label_and_both_kinds_are_needed() -> None:
    labels = {Path("/a"): True, Path("/b"): True, Path("/c"): False}
    assert labels_of([Path("/c"), Path("/a")], labels) == {Path("/c"): False, Path("/a"): True}
    with pytest.raises(UserError, match="/x: no row in the table"):
        labels_of([Path("/x")], labels)
    with pytest.raises(UserError, match="all 2 labelled recordings are anomalous"):
        labels_of([Path("/a"), Path("/b")], labels)
    with pytest.raises(UserError, match="all 1 labelled recordings are normal"):
        separation({Path("/c"): scored([1])}, labels)


def test_what_is_apart_has_an_area_of_one_and_the_reverse_none() -> None:
    scores = {Path(f"/{n}"): scored([n, n + 0.5]) for n in range(10)}
    high = separation(scores, {path: int(path.name) >= 6 for path in scores})
    assert (high["normal"], high["anomalous"]) == (6, 4)
    assert high["mean"] == high["maximum"] == {"auc": 1.0, "pauc": 1.0}
    low = separation(scores, {path: int(path.name) < 6 for path in scores})
    assert low["mean"]["auc"] == 0


def test_mean_and_maximum_find_different_anomalies() -> None:
    """A short burst lifts the maximum and hardly the mean; a shorter last stretch lifts neither."""
    normal = {Path(f"/n{n}"): scored([5 + n / 100] * 20) for n in range(10)}
    burst = {Path(f"/b{n}"): scored([4.0] * 19 + [20.0]) for n in range(10)}
    found = separation(normal | burst, {p: p.name[0] == "b" for p in normal | burst})
    assert found["maximum"]["auc"] == 1
    assert found["mean"]["auc"] == 0
    ends = {Path(f"/b{n}"): scored([4.0] * 19 + [20.0], last=1) for n in range(10)}
    assert separation(normal | ends, {p: p.name[0] == "b" for p in normal | ends})["maximum"]["auc"] == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), min_size=2, max_size=30))
def test_areas_are_those_of_the_means(rows: list[tuple[bool, float]]) -> None:
    truth = [anomalous for anomalous, _ in rows]
    if len(set(truth)) < 2:
        return
    scores = {Path(f"/{n}"): scored([value, value]) for n, (_, value) in enumerate(rows)}
    found = separation(scores, {Path(f"/{n}"): anomalous for n, anomalous in enumerate(truth)})
    values = [value for _, value in rows]
    assert found["mean"]["auc"] == pytest.approx(roc_auc_score(truth, values))
    assert found["maximum"]["pauc"] == pytest.approx(roc_auc_score(truth, values, max_fpr=0.1))
