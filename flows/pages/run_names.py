"""Names of flow runs."""

from datetime import UTC, datetime

from prefect.runtime import flow_run

from pipeline.config.run import DEFAULT_NAME


def dated_name() -> str:
    """Return the name of the configuration with the date and time (UTC) for which the run was planned."""
    config = flow_run.parameters.get("config")
    name = config.get("name") if isinstance(config, dict) else getattr(config, "name", None)
    when = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{name or DEFAULT_NAME} {when.astimezone(UTC):%Y-%m-%d %H:%M}"
