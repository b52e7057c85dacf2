"""Names of flow runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from pipeline.config.run import DEFAULT_NAME
from pipeline.errors import one_line


def dated_name() -> str:
    """Return the name of the configuration with the date and time (UTC) for which the run was planned."""
    return f"{_part(flow_run.parameters.get('config'), 'name') or DEFAULT_NAME} {_when()}"


def evaluation_name() -> str:
    """Return what is evaluated, one run or a number of runs, with the date and time (UTC)."""
    runs = flow_run.parameters.get("runs") or []
    return f"evaluate {one_line(Path(runs[0]).name) if len(runs) == 1 else f'{len(runs)} runs'} {_when()}"


def prediction_name() -> str:
    """Return the model that continues recordings, with the date and time (UTC)."""
    model = _part(flow_run.parameters.get("request"), "model")
    return f"predict with {one_line(str(model)) if model else 'the champion'} {_when()}"


def _part(parameter: Any, name: str) -> Any:
    """Return a field of a parameter, which is a dictionary until Prefect has validated it."""
    return parameter.get(name) if isinstance(parameter, dict) else getattr(parameter, name, None)


def _when() -> str:
    when = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"
