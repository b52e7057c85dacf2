"""The processes that a fault can hit: services, their parts, flow runs and trainings, and PostgreSQL."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

from pipeline.services.control import state
from tests.helpers.clusters.postgresql import PostgreSQL

Processes = list[psutil.Process]


def of_service(name: str) -> Processes:
    """Return the processes of a service without flow runs: those of its session."""
    pid = state().get("services", {}).get(name, {}).get("pid")
    if pid is None:
        return []
    with suppress(psutil.Error):
        main = psutil.Process(pid)
        group = [main, *main.children(recursive=True)]
        return [each for each in group if os.getsid(each.pid) == pid]
    return []


def by_command(words: str, home: Path) -> Processes:
    """Return the processes of a data folder whose command line contains ``words``, oldest first."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()) and process.environ().get("WAVECAST_DATA") == str(home):
                found.append(process)
    return sorted(found, key=lambda each: each.create_time())


def flows(home: Path) -> Processes:
    """Return the processes of flow runs, also of those whose worker was killed."""
    return by_command("-m prefect.flow_engine", home) or by_command("-m prefect.engine", home)


def trainings(home: Path) -> Processes:
    """Return the child processes that train."""
    return by_command("-m pipeline.training", home)


def targets(home: Path, database: PostgreSQL, random: Random) -> dict[str, Callable[[], Processes]]:
    """Return functions that find the processes to hit, by the name of the target."""

    def one_of(service: str) -> Processes:
        parts = of_service(service)
        return [random.choice(parts)] if parts else []

    return {
        "worker": lambda: of_service("worker"),
        "flow process": lambda: flows(home),
        "training process": lambda: trainings(home),
        "worker and flow process": lambda: _all(of_service("worker"), flows(home)),
        "MLflow": lambda: of_service("mlflow"),
        "one process of MLflow": lambda: one_of("mlflow"),
        "Prefect server": lambda: of_service("prefect"),
        "PostgreSQL": database.processes,
    }


def _all(*parts: Processes) -> Processes:
    """Return all processes, empty where one part has none."""
    return [each for part in parts for each in part] if all(parts) else []


def send(processes: Processes, sign: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for each in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            each.send_signal(sign)
