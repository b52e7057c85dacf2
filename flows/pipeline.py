"""The whole pipeline as one flow: prepare, train each variant, evaluate, promote the best, report."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.config.run import RunConfig
from pipeline.errors import UserError


def embedded_settings() -> None:
    """Set Prefect up for a run without a server, before it is imported.

    Prefect's temporary server keeps its database in wavecast's data folder. A user's own settings (a
    server's address, a profile, a home) are not changed.
    """
    own = any(name in os.environ for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE"))
    if not own and not (Path.home() / ".prefect" / "profiles.toml").exists():
        home = data_dir() / "prefect"
        home.mkdir(parents=True, exist_ok=True)  # Prefect's server does not create parent folders
        os.environ["PREFECT_HOME"] = str(home)
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "true")


embedded_settings()

from prefect import flow, get_run_logger  # noqa: E402
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: E402

from flows import tasks  # noqa: E402
from pipeline.stages import check_splits, is_trained, start_stage, variants  # noqa: E402


@flow(name="wavecast", persist_result=False)
def wavecast_pipeline(config: RunConfig = RunConfig()) -> Path:  # noqa: B008 - frozen, and shown in the form
    """Prepare, train each variant, evaluate, promote the best; return the path of `summary.json`."""
    dataset = tasks.prepare(config)
    check_splits(config, dataset)
    runs = []
    for variant in variants(config):
        runs.append(start_stage(config, dataset, variant))
        if is_trained(runs[-1]):
            get_run_logger().info("nothing is new for %s: nothing is trained", runs[-1].name)
        tasks.train(runs[-1])
        tasks.evaluate(runs[-1])
    return tasks.report(config, dataset, runs, tasks.promote(config, runs))


def run_as_flow(config: RunConfig) -> Path:
    """Run the flow in this process; a `UserError` of a stage is raised, and logged without a traceback."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_one_line)
    with _no_heartbeat():
        return wavecast_pipeline(config)


def _one_line(record: logging.LogRecord) -> bool:
    """Remove the traceback of a `UserError` from a log record."""
    problem = record.exc_info[1] if record.exc_info else None
    if isinstance(problem, UserError):
        record.exc_info, record.msg, record.args = None, str(problem), ()
    return True


@contextmanager
def _no_heartbeat() -> Iterator[None]:
    """Disable the heartbeat without a server, where it only delays the end of the flow."""
    if "PREFECT_API_URL" in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
