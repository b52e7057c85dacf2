"""A run is orphaned if its worker was killed after it took the run, and no process has its id."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.common.files import write_json
from pipeline.services.orphans import RUN_ID, SETTLED, has_process, is_orphaned, worker_started
from pipeline.services.settings import services_dir

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
NOW = datetime.now(UTC)
SECOND = timedelta(seconds=1)


def test_a_process_is_found_by_the_run_in_its_environment() -> None:
    with subprocess.Popen(SLEEP, env={RUN_ID: "one"}) as process:
        assert has_process("one")
        assert not has_process("another")
        process.kill()
    assert not has_process("one")


@pytest.mark.parametrize(
    ("submitted", "started", "orphaned"),
    [
        (NOW - SETTLED - 2 * SECOND, NOW - SETTLED - SECOND, True),
        (NOW - SETTLED - SECOND, NOW - SETTLED - 2 * SECOND, False),
        (NOW - SETTLED, NOW - SETTLED + SECOND, False),
    ],
    ids=["taken by a worker before this one", "taken by this one", "this one has just started"],
)
@pytest.mark.usefixtures("own_data_dir")
def test_runs_that_the_present_worker_took_are_its_own(
    submitted: datetime, started: datetime, orphaned: bool
) -> None:
    worker = {"pid": 1, "started": started.timestamp()}
    write_json(services_dir() / "state.json", {"services": {"worker": worker}})
    assert is_orphaned("no process has this", submitted, NOW) == orphaned


def test_without_a_known_worker_nothing_is_orphaned(own_data_dir: Path) -> None:
    assert worker_started() is None
    for state in ({"services": {}}, {"services": {"worker": {"pid": None, "started": 0.0}}}):
        write_json(services_dir() / "state.json", state)
        assert worker_started() is None
    assert own_data_dir in services_dir().parents
    assert not is_orphaned("no process has this", NOW - timedelta(hours=1), NOW)
