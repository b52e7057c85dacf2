"""A tracking server that misbehaves costs bounded time and memory, and ends in one sentence."""

import resource
import time
from pathlib import Path

import pytest

from pipeline.tracking import store
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import TrackingUnavailable, tracking_errors
from pipeline.tracking.sync import sync, sync_pending
from tests.helpers.broken_server import drip, whole
from tests.helpers.servers.tracking import MISBEHAVIOURS, endless, misbehaving
from tests.helpers.tracked_runs import LOSS, journal_points, mirrored, points

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits as in use, but short enough for a test."""
    from pipeline.tracking import bounded_http

    monkeypatch.setattr(bounded_http, "ANSWER", bounded_http.Limits(0.4, 1 << 20))
    monkeypatch.setattr(bounded_http, "DOWNLOAD", bounded_http.Limits(0.4, 1 << 20))


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.thinned(4)
@pytest.mark.parametrize("kind", MISBEHAVIOURS)
def test_every_kind_ends_in_one_sentence_and_is_sent_later(
    kind: str, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, began = peak_bytes(), time.monotonic()
    with misbehaving(MISBEHAVIOURS[kind]) as (address, server):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(TrackingUnavailable) as caught:
            sync(run)
        assert server.requests
    assert time.monotonic() - began < 20
    assert peak_bytes() - before < 64 << 20
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_what_could_not_be_sent_arrives_once(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with misbehaving(endless) as (address, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(TrackingUnavailable, match="is longer than"):
            sync(run)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert mirrored(run).info.status == "RUNNING"


def test_a_file_is_fetched_within_limits(tmp_path: Path) -> None:
    with misbehaving(endless) as (address, server):
        server.answer("/api/2.0/mlflow-artifacts/artifacts?path=x", whole(b"{}"))
        with pytest.raises(TrackingUnavailable, match="Connection broken"):
            _download(address, tmp_path)
    assert all(path.stat().st_size <= 1 << 20 for path in tmp_path.rglob("*"))


def _download(address: str, folder: Path) -> None:
    from mlflow.artifacts import download_artifacts

    with tracking_errors(address):
        connect(address)
        download_artifacts(f"{address}/api/2.0/mlflow-artifacts/artifacts/x", dst_path=str(folder))


def test_many_slow_answers_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LONGEST_USE_S", 0.5)
    slowly = drip(b"{}" + b" " * 10, 0.02)
    began = time.monotonic()
    with misbehaving(slowly) as (address, _), pytest.raises(TrackingUnavailable):
        _ask_for_ever(address)
    assert time.monotonic() - began < 3


def _ask_for_ever(address: str) -> None:
    with tracking_errors(address):
        client = connect(address)
        while True:
            client.get_experiment_by_name("x")
