"""What the services do: which runs are running, due and failed, the champion, and the free disk space."""

import shutil
from datetime import UTC, datetime
from typing import Any

from pipeline.common.files import data_dir
from pipeline.services.control import state
from pipeline.services.health import ask
from pipeline.services.settings import ServiceSettings, read_settings

SHOWN_RUNS = 5
FAILED = ["FAILED", "CRASHED"]


def status() -> dict[str, Any]:
    """Return the state of the services, of their runs and of the disk.

    Returns:
        `running` (whether the services run), `services` (by name: pid, started, restarts, ready),
        `addresses`, `schedule`, `runs` (by `running`, `due`, `failed`: name, time, state, message, the
        nearest first; or `problem`, where Prefect does not answer) and `disk` (bytes free, the folder).
    """
    settings, found = read_settings(), state()
    result: dict[str, Any] = {"running": bool(found), "services": found.get("services", {})}
    if settings is not None:
        result["addresses"] = {"mlflow": settings.mlflow_address, "prefect": settings.prefect_address}
        result["schedule"] = {
            "cron": settings.cron,
            "timezone": settings.timezone,
            "recordings": settings.recordings,
            "config": settings.config,
        }
        if found:
            result["runs"] = _runs(settings)
    usage = shutil.disk_usage(data_dir() if data_dir().exists() else data_dir().parent)
    result["disk"] = {"folder": str(data_dir()), "free_bytes": usage.free, "total_bytes": usage.total}
    return result


def _runs(settings: ServiceSettings) -> dict[str, Any]:
    try:
        return {
            "running": _found(settings, ["RUNNING", "PENDING", "CANCELLING"], "START_TIME_DESC"),
            "due": _found(settings, ["SCHEDULED"], "EXPECTED_START_TIME_ASC"),
            "failed": _found(settings, FAILED, "START_TIME_DESC"),
        }
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return {"problem": f"{settings.prefect_api} does not answer ({problem})"}


def _found(settings: ServiceSettings, states: list[str], order: str) -> list[dict[str, Any]]:
    query = {
        "flow_runs": {
            "state": {"type": {"any_": states}},
            "parent_task_run_id": {"operator": "and_", "is_null_": True},
        },
        "sort": order,
        "limit": SHOWN_RUNS,
    }
    return [
        {
            "name": run["name"],
            "deployment": run["deployment_id"] is not None,
            "state": run["state_name"],
            "time": run["start_time"] or run["expected_start_time"],
            "message": (run.get("state") or {}).get("message"),
            "page": f"{settings.prefect_address}/runs/flow-run/{run['id']}",
        }
        for run in ask(f"{settings.prefect_api}/flow_runs/filter", query)
    ]


def local_time(moment: str | float) -> str:
    """Return a time of the API, or seconds since the epoch, as local date and time to the minute."""
    if isinstance(moment, str):
        found = datetime.fromisoformat(moment)
    else:
        found = datetime.fromtimestamp(moment, UTC)
    return found.astimezone().strftime("%Y-%m-%d %H:%M")
