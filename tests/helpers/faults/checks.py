"""What must hold after the faults: every training complete and once in MLflow, no flow run left `Running`."""

import time
from collections import Counter
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.services.health import ask
from pipeline.tracking.run_folder import RunFolder

UNDER_WAY = ["RUNNING", "PENDING", "CANCELLING"]


def flow_runs(api: str, **query: Any) -> list[dict[str, Any]]:
    """Return flow runs that a query of Prefect's API finds; raises `OSError` where it does not answer."""
    found: list[dict[str, Any]] = []
    while True:
        page = ask(f"{api}/flow_runs/filter", {**query, "limit": 200, "offset": len(found)})
        found += page
        if len(page) < 200:
            return found


def under_way(api: str) -> list[dict[str, Any]]:
    """Return the flow runs that have begun and not ended."""
    return flow_runs(api, flow_runs={"state": {"type": {"any_": UNDER_WAY}}})


def left_running(api: str, seconds: float) -> list[str]:
    """Return the names of flow runs that are still under way after ``seconds``; the schedule is paused."""
    ends = time.monotonic() + seconds
    while (found := under_way(api)) and time.monotonic() < ends:
        time.sleep(2)
    return [f"{run['name']} is {run['state_name']}" for run in found]


def problems(client: MlflowClient, runs: list[RunFolder]) -> list[str]:
    """Return a sentence for each thing that is lost or twice in MLflow, given all trainings."""
    tracked: list[Run] = []
    for experiment in client.search_experiments():
        tracked += client.search_runs([experiment.experiment_id], max_results=1000)
    by_name: dict[str, list[Run]] = {}
    for each in tracked:
        if "wavecast.run" in each.data.tags:  # others join the runs of a comparison
            by_name.setdefault(each.data.tags["wavecast.run"], []).append(each)
    versions = Counter(each.run_id for each in client.search_model_versions(max_results=1000))
    found = [f"{name} is no training" for name in by_name if name not in {run.path.name for run in runs}]
    for run in runs:
        mine = by_name.get(run.path.name, [])
        if len(mine) != 1:
            found.append(f"{run.path.name}: {len(mine)} MLflow runs")
            continue
        found += [f"{run.path.name}: {text}" for text in _run_problems(client, run, mine[0])]
        if versions[mine[0].info.run_id] != 1:
            found.append(f"{run.path.name}: {versions[mine[0].info.run_id]} registered versions")
    return found


def _run_problems(client: MlflowClient, run: RunFolder, tracked: Run) -> list[str]:
    found = []
    if tracked.info.status != "FINISHED" or run.status()["status"] != "finished":
        found.append(f"is {tracked.info.status} in MLflow and {run.status()['status']} on disk")
    histories = [
        sorted((point.step, point.value) for point in client.get_metric_history(tracked.info.run_id, name))
        for name in tracked.data.metrics
    ]
    found += [f"a point is there twice: {each}" for each in histories if len(set(each)) < len(each)]
    expected: dict[str, list[tuple[int, float]]] = {}
    for line in run.lines():
        for key, value in line["metrics"].items():
            expected.setdefault(key, []).append((line["step"], value))
    for key, points in expected.items():
        if len({step for step, _ in points}) < len(points):
            found.append(f"{key} has a step twice in the journal")
        if sorted(points) not in histories:  # under whichever name
            found.append(f"no curve in MLflow has the {len(points)} points of {key}")
    numbers = {name: x for name, x in run.status()["summary"].items() if type(x) in (int, float)}
    sent = set(tracked.data.metrics.values())
    found += [f"the figure {name} is missing" for name, x in numbers.items() if x not in sent]
    files = {path.name for path in run.artifacts.iterdir()}
    names = {file.path for file in client.list_artifacts(tracked.info.run_id)}
    if files - names:
        found.append(f"artifacts are missing: {sorted(files - names)}")
    return found
