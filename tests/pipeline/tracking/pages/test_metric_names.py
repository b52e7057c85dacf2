"""Each figure has one name in MLflow, and readers find it under the names of earlier releases too."""

import json

import pytest

from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.pages.metric_names import (
    CHART_GROUPS,
    baseline_figures,
    recorded_metrics,
    tracked_name,
)
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri
from pipeline.tracking.sync import sync
from tests.helpers.tracked_runs import LOSS, add_model, journal_points, mirrored, points

RECORDED = [*CHART_GROUPS, "test_bits_per_sample", "valid_bits_per_sample", "test_nats_per_step"]
RECORDED += ["test_nats_10_steps_ahead", "time/elapsed_s", "system/memory_mib", "own_figure"]
BASELINES = {
    "FLAC": {"nats_per_step": None, "bits_per_sample": 9.75},
    "linear predictor (32)": {"nats_per_step": -2.5, "bits_per_sample": 10.5},
}
EVALUATION = {"model": {"nats_per_step": -9.0, "bits_per_sample": 9.25}, "baselines": BASELINES}


def test_no_two_figures_have_one_name() -> None:
    assert len({tracked_name(name) for name in RECORDED}) == len(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_figure_is_read_under_its_present_and_its_earlier_name(name: str) -> None:
    assert recorded_metrics({tracked_name(name): 2.0}) == {name: 2.0}
    assert recorded_metrics({name: 1.0}) == {name: 1.0}
    assert recorded_metrics({tracked_name(name): 2.0, name: 2.0}) == {name: 2.0}


def test_training_and_validation_share_a_chart_group() -> None:
    train, valid = tracked_name("train/nats_per_step"), tracked_name("valid/nats_per_step")
    assert train.partition("/")[0] == valid.partition("/")[0]


def test_the_distance_from_flac_is_positive_where_the_model_is_better() -> None:
    assert baseline_figures(EVALUATION) == {
        "bits_per_sample/flac": 9.75,
        "bits_per_sample_of_baselines/linear_predictor_32": 10.5,
        "nats_per_step_of_baselines/linear_predictor_32": -2.5,
        "bits_per_sample/below_flac": 0.5,
    }


@pytest.mark.usefixtures("local_store")
def test_baselines_are_metrics_of_the_run(run: RunFolder) -> None:
    add_model(run)
    run.artifacts.mkdir(exist_ok=True)
    (run.artifacts / "evaluation.json").write_text(json.dumps(EVALUATION))
    sync(run)
    metrics = mirrored(run).data.metrics
    assert metrics["bits_per_sample/test"] == 6.5
    assert metrics["bits_per_sample/below_flac"] == 0.5
    assert "test_bits_per_sample" not in metrics


@pytest.mark.usefixtures("local_store")
def test_a_run_sent_by_an_earlier_release_gets_the_present_names_and_no_point_twice(run: RunFolder) -> None:
    add_model(run)
    sync(run)
    run_id = mirrored(run).info.run_id
    client = connect(store_uri())
    client.log_metric(run_id, LOSS, 0.5, step=20)
    note = json.loads((run.path / "tracking.json").read_text())
    del note["layout"], note["checksum"]
    (run.path / "tracking.json").write_text(json.dumps(note))
    sync(run)
    assert mirrored(run).info.run_id == run_id
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert [(point.step, point.value) for point in client.get_metric_history(run_id, LOSS)] == [(20, 0.5)]
