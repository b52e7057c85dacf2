"""The services: the command, the environment and the health check of each, in the order of their start."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.services.databases import PREFECT_SUFFIX
from pipeline.services.lost_runs import HEARTBEAT_SECONDS
from pipeline.services.orphans import WORKER
from pipeline.services.settings import HOST, POOL, ServiceSettings, database_address
from pipeline.tracking.store import ENVIRONMENT, artifact_root, local_store_uri

SILENT = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLIENT_METRICS_ENABLED": "false",
}
PATIENT = {
    # Prefect answers 500 while its database is away. Six attempts at growing intervals last two minutes.
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
    "PREFECT_CLIENT_MAX_RETRIES": "6",
}
"""Makes a flow run wait for a server that is away for a minute, instead of ending."""


@dataclass(frozen=True)
class Service:
    """One process that is kept running.

    Attributes:
        name: of its log, `NAME.log`.
        command: what is started.
        environment: variables beside those of the caller.
        health: an address that answers once it is ready; None where it has no address.
        once: whether it ends by itself, such as the command that writes the deployments.
        needs: the service that must be ready before it is started.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    health: str | None = None
    once: bool = False
    needs: str | None = None


def services(settings: ServiceSettings) -> list[Service]:
    """Return the services in the order of their start."""
    shared = environment(settings)
    prefect = [sys.executable, "-m", "prefect"]
    ingest = Service("ingest", [sys.executable, "-m", "flows.ingest"], shared, needs="deployments")
    return [
        _mlflow(settings, shared),
        _prefect(settings, shared),
        Service(
            "deployments", [sys.executable, "-m", "flows.deployments"], shared, once=True, needs="prefect"
        ),
        Service(
            "worker",
            # With its type named, the worker starts also while Prefect does not answer.
            [*prefect, "worker", "start", "--pool", POOL, "--type", "process", "--name", WORKER],
            shared,
            needs="deployments",
        ),
        Service(
            "lost-runs", [sys.executable, "-m", "pipeline.services.lost_runs"], shared, needs="deployments"
        ),
        *([ingest] if settings.inbox is not None else []),
    ]


def environment(settings: ServiceSettings) -> dict[str, str]:
    """Return the variables that make a command use these services."""
    variables = {
        **SILENT,
        **PATIENT,
        **ENVIRONMENT,
        "WAVECAST_DATA": str(data_dir()),
        "PREFECT_HOME": str(data_dir() / "prefect"),
        "PREFECT_API_URL": settings.prefect_api,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PYTHONUNBUFFERED": "1",
    }
    source = Path(__file__).resolve().parents[2]
    if (source / "pyproject.toml").is_file():
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    if settings.shared_store:
        variables["MLFLOW_TRACKING_URI"] = settings.mlflow_address
    return variables


def _mlflow(settings: ServiceSettings, shared: dict[str, str]) -> Service:
    store = local_store_uri()
    if settings.database is not None:
        store = database_address(settings.database, "psycopg")
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(settings.mlflow_port)]
    if settings.shared_store:
        command += ["--artifacts-destination", settings.artifacts or artifact_root(local_store_uri()) or ""]
    else:
        command += ["--default-artifact-root", artifact_root(store) or ""]
    # The address of the store goes through the environment: it may hold a password.
    variables = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    unset = {name: "" for name in ("MLFLOW_TRACKING_URI",) if name in shared}
    return Service(
        "mlflow",
        [*command, "--workers", "1"],
        {**shared, **variables, **unset},
        health=f"{settings.mlflow_address}/health",
    )


def _prefect(settings: ServiceSettings, shared: dict[str, str]) -> Service:
    variables = dict(shared)
    if settings.database is not None:
        variables["PREFECT_API_DATABASE_CONNECTION_URL"] = database_address(
            settings.database, "asyncpg", PREFECT_SUFFIX
        )
    # `--background` of Prefect's own gives the server a pipe that nobody reads.
    port = ["--host", HOST, "--port", str(settings.prefect_port)]
    command = [sys.executable, "-m", "prefect", "server", "start", *port]
    return Service("prefect", command, variables, health=f"{settings.prefect_api}/health")
