"""Processes killed and paused while `wavecast up` trains what arrives: nothing lost, nothing twice.

`python -m tests.helpers.faults.matrix FOLDER` does the same with 30 faults, and prints their table.
"""

from pathlib import Path

import pytest

from tests.helpers.clusters.postgresql import FOUND, postgresql
from tests.helpers.clusters.services import OTHER_SERVERS
from tests.helpers.faults.matrix import measure

FAULTS = 5


@pytest.mark.slow
@pytest.mark.skipif(not FOUND, reason="PostgreSQL is not installed")
def test_after_faults_every_training_is_complete_and_once_in_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OTHER_SERVERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "home"))
    (tmp_path / "home" / "recordings").mkdir(parents=True)
    with postgresql() as database:
        faults, wrong = measure(tmp_path / "home", database, count=FAULTS, seed=3)
    assert not wrong
    assert len({(fault.target, fault.kind) for fault in faults}) == FAULTS
    assert all(fault.recovered_s > 0 for fault in faults)
