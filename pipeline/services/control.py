"""Start of the services in the background, their state, and their end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
from filelock import FileLock, Timeout

from pipeline.common.files import read_json
from pipeline.errors import UserError
from pipeline.services.databases import make_databases
from pipeline.services.settings import HOST, ServiceSettings, read_settings, services_dir, write_settings
from pipeline.services.supervisor import STOP_SECONDS
from pipeline.services.table import services
from pipeline.tracking.local_store import check_store, sqlite_file
from pipeline.tracking.store import local_store_uri, use_server

WAIT_SECONDS = 300.0


def running() -> bool:
    """Return whether a supervisor runs for this data folder."""
    services_dir().mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(services_dir() / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def state() -> dict[str, Any]:
    """Return what the supervisor wrote last: its process, and of each service process, start and readiness.

    Empty where nothing runs.
    """
    path = services_dir() / "state.json"
    if not running() or not path.exists():
        return {}
    return dict(read_json(path, "state of the services"))


def start(settings: ServiceSettings, note: Callable[[str], None]) -> None:
    """Start the services in the background and wait until all of them are ready.

    Args:
        settings: what to start.
        note: called with the name of each service that has become ready.

    Raises:
        UserError: a port is taken, or a service does not become ready; its log is named.
    """
    configure(settings)
    with (services_dir() / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.services.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    wait_until_ready(note, lambda: process.poll() is None)


def configure(settings: ServiceSettings) -> None:
    """Check what can be checked without starting anything, and keep the settings for the supervisor.

    Raises:
        UserError: a port is taken, or the database or the local store cannot be used.
    """
    for port, option in ((settings.mlflow_port, "--mlflow-port"), (settings.prefect_port, "--prefect-port")):
        _check_port(port, option)
    services(settings)  # raises for an address that cannot be used
    own = sqlite_file(local_store_uri())
    if settings.database is not None:
        make_databases(settings.database)
    elif own is not None and own.exists():
        check_store(own)  # MLflow would end again and again
    write_settings(settings)
    use_server(settings.mlflow_address if settings.shared_store else None)


def wait_until_ready(note: Callable[[str], None], alive: Callable[[], bool]) -> None:
    """Wait until every service is ready.

    Raises:
        UserError: one has ended three times, or the supervisor has ended, or it takes longer than
            `WAIT_SECONDS`.
    """
    deadline, seen = time.monotonic() + WAIT_SECONDS, set()
    while time.monotonic() < deadline:
        found = state().get("services", {})
        for name, facts in found.items():
            if facts["ready"] and name not in seen:
                seen.add(name)
                note(name)
            if facts["restarts"] >= 3 and not facts["ready"]:
                stop()
                raise UserError(f"{name} does not start: {_last_line(name)}")
        if found and len(seen) == len(found):
            return
        if not alive():
            raise UserError(f"the services ended while they were started: {_last_line('supervisor')}")
        time.sleep(0.2)
    raise UserError(f"the services are not ready after {WAIT_SECONDS:.0f} s; see {services_dir()}/*.log")


def _last_line(name: str) -> str:
    """Return the last line of a service's log and its path, for a message."""
    log = services_dir() / f"{name}.log"
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    spoken = [line.strip() for line in lines if line.strip()]
    return f"{spoken[-1] if spoken else 'it wrote nothing'} (all in {log})"


def stop() -> bool:
    """End the services; return whether any ran.

    Raises:
        UserError: the supervisor does not end.
    """
    pid = state().get("supervisor")
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    count = len(services(read_settings() or ServiceSettings("")))
    deadline = time.monotonic() + 2 * count * STOP_SECONDS
    while running():
        if time.monotonic() > deadline:
            raise UserError(f"the supervisor (process {pid}) does not end; see {services_dir()}")
        time.sleep(0.1)
    return True


def _check_port(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            raise UserError(
                f"{HOST}:{port}: {problem.strerror}{_owner(port)}; take another port with {option}"
            ) from None


def _owner(port: int) -> str:
    """Return a note on the process that has a port, as far as this user may look."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN":
                return f" (by {psutil.Process(connection.pid).name()}, process {connection.pid})"
    except (psutil.Error, OSError, TypeError):
        pass
    return ""
