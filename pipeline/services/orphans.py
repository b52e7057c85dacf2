"""Submitted runs that nothing will start any more, by the processes of this machine.

Prefect marks a run as `Pending` when a worker takes it. The next sign of life is that of its process, which
may take minutes to start. If the worker and the process are killed before, no other worker takes the run, and
to the server it looks like a slow start. On this machine the two differ: each process of a run has the run's
id in its environment, from its first moment on.
"""

from datetime import UTC, datetime, timedelta

import psutil

from pipeline.common.files import read_json
from pipeline.errors import UserError
from pipeline.services.health import ask
from pipeline.services.settings import POOL, services_dir

RUN_ID = "PREFECT__FLOW_RUN_ID"
WORKER = "wavecast"
"""Name of the worker that `wavecast up` starts."""

SETTLED = timedelta(seconds=30)
"""After the start of a worker, for what its predecessor had only begun to start."""


def is_orphaned(run_id: str, submitted: datetime, now: datetime) -> bool:
    """Return whether a `Pending` run has lost the worker that took it, and has no process.

    Args:
        run_id: Prefect's id of the run.
        submitted: when a worker took it.
        now: the present time.
    """
    started = worker_started()
    if started is None or started <= submitted or now - started < SETTLED:
        return False
    return not has_process(run_id)


def worker_started() -> datetime | None:
    """Return when the worker's present process was started; None where none runs or none is known."""
    try:
        worker = read_json(services_dir() / "state.json", "state of the services")["services"]["worker"]
        return datetime.fromtimestamp(worker["started"], UTC) if worker["pid"] else None
    except (UserError, KeyError, TypeError, ValueError):
        return None


def has_process(run_id: str) -> bool:
    """Return whether a process of this user on this machine belongs to a run."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_ID) == run_id:
                return True
        except (psutil.Error, OSError):  # it has ended, or is another user's
            continue
    return False


def is_only_worker(api: str) -> bool:
    """Return whether no worker other than that of `wavecast up` serves the work pool.

    Args:
        api: address of Prefect's API.

    Raises:
        OSError, ValueError, KeyError, TypeError: the server does not answer, or not as expected.
    """
    workers = ask(f"{api}/work_pools/{POOL}/workers/filter", {})
    return {each["name"] for each in workers if each["status"] == "ONLINE"} <= {WORKER}
