"""The service that ends runs whose process was killed, by what Prefect's database says of them.

Prefect's automations do the same by the events as they arrive, but the events of the moment in which its
server is killed or its database is away are lost, and with them an automation's knowledge of a run. A run
that is left `Pending` or `Running` holds the only place of its deployment, so that no later run would start.
"""

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.errors import UserError, print_line
from pipeline.services.health import ask
from pipeline.services.settings import read_settings

HEARTBEAT_SECONDS = 30
HEARTBEAT = "prefect.flow-run.heartbeat"

SILENCE = timedelta(seconds=5 * HEARTBEAT_SECONDS)
"""A run without a sign of life for this long has crashed. A server or a machine may be away for a minute."""

START = timedelta(minutes=10)
"""A run that was submitted to a worker and does not start for this long has crashed."""

FLOWS = ["wavecast", "prepare"]
"""Names of the flows that have deployments. Others on the same server may send heartbeats less often."""

LOOK_SECONDS = 20.0


@dataclass
class LostRuns:
    """Looks for runs without a sign of life.

    After half of the silence without an answer of the server, runs could send no sign of life: they are given
    their time anew.

    Attributes:
        api: address of Prefect's API.
        silence: how long a run that has started may send nothing.
        start: how long a submitted run may take to start.
        since: when the server answered first after the last gap.
        last: when it answered last.
    """

    api: str
    silence: timedelta = SILENCE
    start: timedelta = START
    since: datetime = field(default=datetime.max.replace(tzinfo=UTC))
    last: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def look(self, now: datetime) -> list[str]:
        """Mark lost runs as `Crashed`.

        Args:
            now: the present time, with its time zone.

        Returns:
            The names of these runs.

        Raises:
            OSError, ValueError, KeyError, TypeError: the server does not answer, or not as expected.
        """
        query = {
            "flows": {"name": {"any_": FLOWS}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
        }
        found = ask(f"{self.api}/flow_runs/filter", query)
        if now - self.last > self.silence / 2:
            self.since = now
        self.last = now
        return [run["name"] for run in found if self._is_lost(run, now) and self._crash(run)]

    def _is_lost(self, run: dict[str, Any], now: datetime) -> bool:
        limit = self._limit(run)
        if now - max(self.since, datetime.fromisoformat(run["state"]["timestamp"])) < limit:
            return False
        heartbeats = {
            "event": {"name": [HEARTBEAT]},
            "resource": {"id": [f"prefect.flow-run.{run['id']}"]},
            "occurred": {"since": (now - limit).isoformat(), "until": now.isoformat()},
        }
        return not ask(f"{self.api}/events/filter", {"filter": heartbeats, "limit": 1})["events"]

    def _limit(self, run: dict[str, Any]) -> timedelta:
        return self.start if run["state_type"] == "PENDING" else self.silence

    def _crash(self, run: dict[str, Any]) -> bool:
        """Change the state, unless it has changed by itself; return whether it was done."""
        path = f"{self.api}/flow_runs/{run['id']}"
        if ask(path)["state"]["id"] != run["state"]["id"]:
            return False
        message = (
            f"no sign of life for {self._limit(run).total_seconds():.0f} s: its process was killed or the "
            "machine has restarted. The next run continues from the last checkpoint."
        )
        answer = ask(f"{path}/set_state", {"state": {"type": "CRASHED", "message": message}})
        return bool(answer["status"] == "ACCEPT")


def watch(api: str) -> None:
    """Look again and again, for ever; a server that does not answer is asked again later."""
    lost = LostRuns(api)
    while True:
        try:
            for name in lost.look(datetime.now(UTC)):
                print_line(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {name} has crashed", flush=True)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    try:
        stored = read_settings()
        if stored is None:
            raise UserError("no settings of the services: run `wavecast up`")
        watch(stored.prefect_api)
    except UserError as problem:
        print(f"wavecast: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
