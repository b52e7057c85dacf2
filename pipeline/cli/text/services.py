"""The text of `wavecast up` and `wavecast status`."""

from typing import Any

from pipeline.errors import print_line
from pipeline.services.settings import ServiceSettings
from pipeline.services.status import local_time, status


def print_up(runs: ServiceSettings, wanted: ServiceSettings, already: bool) -> None:
    """Print the addresses of the services and the schedule.

    Args:
        runs: the settings of the services that run.
        wanted: the settings that were asked for.
        already: whether the services ran before.
    """
    if already:
        print("The services are running already.")
        if runs != wanted:
            print("They keep their settings; to change these: wavecast down, then wavecast up again.")
    print_line(f"MLflow     {runs.mlflow_address}")
    print_line(f"Prefect    {runs.prefect_address}")
    print_line(f"recordings {runs.recordings}")
    if runs.inbox:
        print_line(f"inbox      {runs.inbox}: {runs.new_minutes:g} minutes of new recordings start a run")
    print_line(f"schedule   {runs.cron} ({runs.timezone}), configuration {runs.config}")
    due = status().get("runs", {}).get("due", [])
    if due:
        print(f"next run   {local_time(due[0]['time'])}")
    print("Stop with: wavecast down")


def print_status(found: dict[str, Any]) -> None:
    """Print what `pipeline.services.status.status` has found."""
    if not found["running"]:
        print("The services are not running; start them with: wavecast up")
    for name, facts in found["services"].items():
        words = f"since {local_time(facts['started'])}" if facts["ready"] else "starting"
        again = f", started again {facts['restarts']} times" if facts["restarts"] else ""
        print(f"{name:<12} {words}{again}")
    for name, address in found.get("addresses", {}).items():
        print_line(f"{name:<12} {address}")
    runs = found.get("runs", {})
    if "problem" in runs:
        print_line(runs["problem"])
    for kind in ("running", "due", "failed"):
        for run in runs.get(kind, []):
            message = f": {run['message']}" if kind == "failed" and run["message"] else ""
            print_line(f"{kind:<12} {local_time(run['time'])}  {run['name']}{message}")
    champions = ["unknown"] if found["champions"] is None else found["champions"]
    for champion in champions or ["none yet"]:
        print_line(f"{'champion':<12} {champion}")
    disk = found["disk"]
    print_line(f"{'disk':<12} {disk['free_bytes'] / 1e9:.1f} GB free at {disk['folder']}")
