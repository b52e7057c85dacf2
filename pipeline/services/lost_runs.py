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
from pipeline.services.orphans import is_only_worker, is_orphaned
from pipeline.services.settings import ServiceSettings, read_settings

HEARTBEAT_SECONDS = 30
HEARTBEAT = "prefect.flow-run.heartbeat"

SILENCE = timedelta(seconds=5 * HEARTBEAT_SECONDS)
"""A run without a sign of life for this long has crashed. A server or a machine may be away for a minute."""

START = timedelta(minutes=10)
"""A run that was submitted to a worker and does not start for this long has crashed. A process may take
minutes to start beside trainings. `pipeline.services.orphans` finds a run without a process earlier."""

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
        one_machine: whether workers of no other machine can use the server.
        since: when the server answered first after the last gap.
        last: when it answered last.
    """

    api: str
    silence: timedelta = SILENCE
    start: timedelta = START
    one_machine: bool = False
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
        reasons = [(run, self._reason(run, now)) for run in found]
        return [run["name"] for run, reason in reasons if reason and self._crash(run, reason)]

    def _reason(self, run: dict[str, Any], now: datetime) -> str:
        """Return why a run is lost; empty for one that is not."""
        since = datetime.fromisoformat(run["state"]["timestamp"])
        pending = run["state_type"] == "PENDING"
        if pending and self.one_machine and is_orphaned(run["id"], since, now) and is_only_worker(self.api):
            return "it has no process, and the worker that took it was killed"
        limit = self.start if pending else self.silence
        if now - max(self.since, since) < limit or self._is_alive(run, now, limit):
            return ""
        silent = f"no sign of life for {limit.total_seconds():.0f} s"
        return f"{silent}: its process was killed or the machine has restarted"

    def _is_alive(self, run: dict[str, Any], now: datetime, limit: timedelta) -> bool:
        """Return whether a heartbeat of a run has arrived within the time that it may be silent."""
        heartbeats = {
            "event": {"name": [HEARTBEAT]},
            "resource": {"id": [f"prefect.flow-run.{run['id']}"]},
            "occurred": {"since": (now - limit).isoformat(), "until": now.isoformat()},
        }
        return bool(ask(f"{self.api}/events/filter", {"filter": heartbeats, "limit": 1})["events"])

    def _crash(self, run: dict[str, Any], reason: str) -> bool:
        """Change the state, unless it has changed by itself; return whether it was done."""
        path = f"{self.api}/flow_runs/{run['id']}"
        if ask(path)["state"]["id"] != run["state"]["id"]:
            return False
        message = f"{reason}. The next run continues from the last checkpoint."
        answer = ask(f"{path}/set_state", {"state": {"type": "CRASHED", "message": message}})
        return bool(answer["status"] == "ACCEPT")


def watch(settings: ServiceSettings) -> None:
    """Look again and again, for ever; a server that does not answer is asked again later."""
    # Servers of several machines may share a database, and its runs may be another machine's.
    lost = LostRuns(settings.prefect_api, one_machine=settings.database is None)
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
        watch(stored)
    except UserError as problem:
        print(f"wavecast: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
