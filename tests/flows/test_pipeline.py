"""The flows: the same functions as without Prefect, with the same results and the same errors."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, VariantsFailed
from pipeline.stages import run_stages, start_stage
from pipeline.tracking.comparison_folder import read_summary
from tests.helpers.servers.planned_nights import assert_next_nights, shipped_deployments
from tests.helpers.sounds import write_noisy_tones

pytestmark = pytest.mark.usefixtures("prefect_server")

TINY = [
    "input.sample_rate=8000",
    "corpus.group=recording",
    "model.hidden_size=16",
    "model.mixture_components=2",
    "train.epochs=1",
    "train.bptt_steps=50",
    "train.device=cpu",
    "samples.count=1",
    "samples.context_seconds=0.2",
    "samples.seconds=0.1",
]


@dataclass(frozen=True)
class Finished:
    """One run of the whole flow, in a data folder that the tests of this file share."""

    config: RunConfig
    summary: dict[str, Any]
    data: Path


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Finished:
    from flows.pipeline import run_as_flow

    folder = tmp_path_factory.mktemp("flow")
    corpus = write_noisy_tones(folder / "tones", count=10, seconds=0.4, sample_rate=8000)
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *TINY])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(folder / "data"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return Finished(config, read_summary(run_as_flow(config)), folder / "data")


@pytest.fixture
def finished(finished_once: Finished, monkeypatch: pytest.MonkeyPatch) -> Finished:
    monkeypatch.setenv("WAVECAST_DATA", str(finished_once.data))
    return finished_once


def test_the_flow_leaves_all_that_it_names(finished: Finished) -> None:
    assert finished.summary["promotion"]["promoted"]
    for kind in ("sounds", "pictures", "pages"):
        assert finished.summary[kind], kind
        assert all(Path(path).exists() for path in finished.summary[kind])


def test_the_page_of_the_run_has_names_progress_and_the_decision(finished: Finished) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        ArtifactFilter,
        ArtifactFilterKey,
        FlowRunFilter,
        FlowRunFilterName,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    dated = FlowRunFilter(name=FlowRunFilterName(like_="wavecast 2"))

    with get_client(sync_client=True) as client:
        (flow_run,) = client.read_flow_runs(
            flow_run_filter=dated, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=1
        )
        assert flow_run.state is not None
        assert "became champion" in str(flow_run.state.message)
        keys = [f"wavecast-{part}" for part in ("preparation", "training", "summary", "figures")]
        found = {
            x.key: x
            for x in client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=keys)))
            if x.flow_run_id == flow_run.id
        }
    assert set(found) == set(keys)
    assert [found[key].data for key in keys[:2]] == [100.0, 100.0]
    assert "became champion" in str(found["wavecast-summary"].data)
    assert "15" in str(found["wavecast-figures"].data)


def give_training(finished: Finished, config: RunConfig, variant: str) -> None:
    """Give a variant with the settings of the finished run the files of its training."""
    (trained,) = finished.summary["runs"].values()
    run = start_stage(config, Path(finished.summary["dataset"]), variant)
    shutil.copytree(
        trained, run, ignore=shutil.ignore_patterns("run.json", "tracking.json"), dirs_exist_ok=True
    )


@pytest.mark.parametrize("kind", ["flow", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_variant_that_fails_does_not_stop_the_others(
    kind: str, finished: Finished, capfd: pytest.CaptureFixture[str]
) -> None:
    """The bad variants are the first, so the good one must be trained after them."""
    from flows.pipeline import run_as_flow

    run = {"flow": run_as_flow, "plain": run_stages}[kind]
    changed = {"bad": {"train.device": "cuda:99"}, f"{kind}-run": {}, "good": {}}
    config = finished.config.model_copy(update={"variants": changed})
    dataset = Path(finished.summary["dataset"])
    (start_stage(config, dataset, f"{kind}-run") / "run.json").write_text("{}")
    give_training(finished, config, "good")
    with pytest.raises(VariantsFailed, match=r"variant bad failed \(.*cuda:99") as failed:
        run(config)
    assert "run.json" in str(failed.value)
    assert failed.value.exit_code == 1
    summary = read_summary(failed.value.summary)
    assert list(summary["runs"]) == list(summary["evaluations"]) == ["good"]
    assert "cuda:99" in summary["failed"]["bad"]
    assert summary["promotion"]["version"] is not None
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_the_flow_does_what_the_plain_functions_do(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    plain = read_summary(run_stages(finished.config))
    assert finished.summary["evaluations"] == plain["evaluations"]


def test_a_second_run_on_unchanged_recordings_trains_nothing_and_keeps_the_champion(
    finished: Finished,
) -> None:
    from flows.pipeline import run_as_flow

    (run,) = finished.summary["runs"].values()
    trained = (Path(run) / "last.pt").stat().st_mtime_ns
    second = read_summary(run_as_flow(finished.config))
    assert (Path(run) / "last.pt").stat().st_mtime_ns == trained
    assert second["runs"] == finished.summary["runs"]
    assert not second["promotion"]["promoted"]
    assert second["promotion"]["version"] == finished.summary["promotion"]["version"]


def test_a_users_mistake_comes_out_of_the_flow_as_itself(capfd: pytest.CaptureFixture[str]) -> None:
    from flows.pipeline import run_as_flow

    nowhere = load_config(None, ["corpus.inputs=[/nowhere]"])
    with pytest.raises(UserError, match="/nowhere"):
        run_as_flow(nowhere)
    assert "Traceback" not in capfd.readouterr().err


def test_the_predict_flow_continues_each_recording(finished: Finished, tmp_path: Path) -> None:
    import soundfile

    from flows.predict import PredictRequest, continue_recordings

    recordings = sorted(finished.config.corpus.inputs[0].glob("*.wav"))[:2]
    request = PredictRequest(recordings=recordings, output_folder=tmp_path / "continued", seconds=0.25)
    for recording, output in zip(recordings, continue_recordings(request), strict=True):
        context, continued = soundfile.info(recording), soundfile.info(output)
        assert continued.frames == context.frames + 2000
        assert continued.samplerate == 8000
    assert latest_flow_run("predict").startswith("predict with the champion 2")


def test_the_evaluate_flow_returns_the_evaluations_and_is_named_by_its_run(finished: Finished) -> None:
    from flows.evaluate import evaluate_runs

    (run,) = finished.summary["runs"].values()
    assert evaluate_runs([Path(run)]) == [Path(run) / "artifacts" / "evaluation.json"]
    assert latest_flow_run("evaluate").startswith(f"evaluate {Path(run).name} 2")


def latest_flow_run(flow: str) -> str:
    """Return the name of a flow's newest run."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    named = FlowFilter(name=FlowFilterName(any_=[flow]))
    with get_client(sync_client=True) as client:
        (newest,) = client.read_flow_runs(flow_filter=named, sort=FlowRunSort.START_TIME_DESC, limit=1)
    return str(newest.name)


def test_recordings_that_cannot_be_read_are_named_after_the_others_are_done(
    finished: Finished, tmp_path: Path
) -> None:
    from flows.predict import PredictRequest, continue_recordings

    folder = tmp_path / "arrived"
    (folder / "later").mkdir(parents=True)
    (folder / "broken.wav").write_bytes(b"no sound")
    good = min(finished.config.corpus.inputs[0].glob("*.wav"))
    for name in ("a.wav", "z.wav", "later/a.wav"):
        (folder / name).write_bytes(good.read_bytes())
    named = [folder, tmp_path / "missing.wav"]
    request = PredictRequest(recordings=named, output_folder=tmp_path / "continued", seconds=0.25)
    with pytest.raises(UserError, match=r"^2 of 5 recordings failed: .*broken\.wav.*missing\.wav: no such"):
        continue_recordings(request)
    names = {path.name for path in request.output_folder.iterdir()}
    assert names == {"a-continued.wav", "a-2-continued.wav", "z-continued.wav"}


def test_bad_parameters_are_rejected_before_anything_runs(own_data_dir: Path) -> None:
    from prefect.exceptions import ParameterTypeError

    from flows.pipeline import wavecast_pipeline

    with pytest.raises(ParameterTypeError, match="epochs"):
        wavecast_pipeline(config={"train": {"epochs": 0}})  # type: ignore[arg-type]
    assert not list(own_data_dir.iterdir())


def test_the_servers_scheduler_plans_the_next_nights(prefect_server: None) -> None:
    """Call the function that the server calls at each tick: a test server itself has no scheduler."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.server.services.scheduler import schedule_deployments

    from flows.pipeline import wavecast_pipeline

    ((nightly,),) = [x["schedules"] for x in shipped_deployments() if x["name"] == "nightly"]
    schedule = CronSchedule(cron=nightly["cron"], timezone=nightly["timezone"])
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(wavecast_pipeline),
            "nightly",
            schedules=[DeploymentScheduleCreate(schedule=schedule, active=nightly["active"])],
        )
        asyncio.run(schedule_deployments())
        only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        runs = client.read_flow_runs(deployment_filter=only)
    assert all(run.auto_scheduled for run in runs)
    assert_next_nights(sorted(run.expected_start_time for run in runs if run.expected_start_time))
