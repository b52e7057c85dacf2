"""The nights that the deployments of prefect.yaml plan."""

from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from tests.conftest import PROJECT_ROOT


def assert_next_nights(starts: list[datetime]) -> None:
    """Check that runs are planned for 02:00 UTC of three nights or more, beginning with the next."""
    now = datetime.now(UTC)
    two_o_clock = now.replace(hour=2, minute=0, second=0, microsecond=0)
    first = two_o_clock + timedelta(days=now >= two_o_clock)
    assert len(starts) >= 3
    assert starts == [first + timedelta(days=day) for day in range(len(starts))]


def shipped_deployments() -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml."""
    return list(yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"])
