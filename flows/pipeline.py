"""The whole pipeline as one flow: prepare, train each variant, evaluate, promote the best, report."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.config.run import RunConfig
from pipeline.errors import raise_failures
from pipeline.services.lost_runs import HEARTBEAT_SECONDS


def embedded_settings() -> None:
    """Set Prefect up, before it is imported.

    Prefect's temporary server keeps its database in wavecast's data folder. A user's own settings (a
    server's address, a profile, a home) are not changed. A run with a server sends heartbeats as often as the
    services of `wavecast up` expect them: Prefect's own interval, three minutes, looks like a killed process.
    """
    own = any(name in os.environ for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE"))
    if not own and not (Path.home() / ".prefect" / "profiles.toml").exists():
        home = data_dir() / "prefect"
        home.mkdir(parents=True, exist_ok=True)  # Prefect's server does not create parent folders
        os.environ["PREFECT_HOME"] = str(home)
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_SECONDS))
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "true")


embedded_settings()

from prefect import flow  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: E402

from flows import tasks  # noqa: E402
from flows.pages.artifacts import decision_text  # noqa: E402
from flows.pages.run_logs import mistakes_in_a_sentence  # noqa: E402
from flows.pages.run_names import dated_name  # noqa: E402
from flows.trainings import train_each  # noqa: E402
from pipeline.stages import check_splits, variants  # noqa: E402


@flow(name="wavecast", flow_run_name=dated_name, persist_result=False)
@mistakes_in_a_sentence
def wavecast_pipeline(config: RunConfig = RunConfig()) -> Path:  # noqa: B008 - frozen, and shown in the form
    """Prepare, train each variant, evaluate, promote the best; return the path of `summary.json`.

    A variant that fails does not stop the others; the flow run fails after their report.
    """
    names = variants(config)
    prepared = tasks.prepare(config, return_state=True)
    dataset = tasks.value_of(prepared)
    check_splits(config, dataset)
    finished: dict[str, tuple[Path, State[Path]]] = {}
    failures: dict[str, Exception] = {}
    for variant, run, trained in train_each(config, dataset, names, prepared):
        ended = trained
        if trained.is_completed():
            ended = tasks.evaluate(run, return_state=True, wait_for=[trained])
        problem = ended.result(raise_on_failure=False)
        if ended.is_completed():
            finished[variant] = run, ended
        elif isinstance(problem, Exception) and len(failures) + 1 < len(names):
            failures[variant] = problem
        else:
            tasks.value_of(ended)
    in_order = [finished[name] for name in names if name in finished]
    runs, evaluated = [run for run, _ in in_order], [state for _, state in in_order]
    promoted = tasks.promote(config, runs, return_state=True, wait_for=evaluated)
    promotion = tasks.value_of(promoted)
    reported = tasks.report(
        config, dataset, runs, promotion, failures, return_state=True, wait_for=[promoted]
    )
    summary = tasks.value_of(reported)
    raise_failures(failures, summary)
    return tasks.completed(summary, decision_text(promotion))


def run_as_flow(config: RunConfig) -> Path:
    """Run the flow in this process; a `UserError` of a stage is raised, and logged without a traceback."""
    with _no_heartbeat():
        return wavecast_pipeline(config)


@contextmanager
def _no_heartbeat() -> Iterator[None]:
    """Disable the heartbeat without a server, where it only delays the end of the flow."""
    if "PREFECT_API_URL" in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
