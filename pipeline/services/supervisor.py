"""The process that starts the services, starts again what ends, and stops them all at the end.

`wavecast up` starts it in the background, a systemd unit in the foreground, as a module of this name.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from pipeline.common.files import write_json
from pipeline.errors import UserError
from pipeline.services.health import answers
from pipeline.services.settings import read_settings, services_dir
from pipeline.services.table import Service, services

POLL_SECONDS = 0.5
START_SECONDS = 180.0
"""A server that does not answer within this time is started anew."""
LONGEST_PAUSE = 60.0
"""Longest time between two starts of a service that ends again and again."""
STOP_SECONDS = 30.0
LOG_BYTES = 20 << 20
"""A log that is larger when its service starts is kept as `NAME.log.1`, and a new one is begun."""


@dataclass
class Running:
    """A service and the process of it.

    Attributes:
        service: what is run.
        process: the present process; None before the first start and after an end.
        started: when, in seconds since the epoch.
        restarts: how often it was started again.
        failures: how often it has ended soon after its start, one time after the other.
        ready: whether it has answered, or, of one that ends by itself, has ended well.
        next_start: the earliest time of the next start, on the monotonic clock.
    """

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = -1
    failures: int = 0
    ready: bool = False
    next_start: float = field(default=0.0)

    def start(self) -> None:
        """Start a process with its output in the log."""
        log = services_dir() / f"{self.service.name}.log"
        _rotate(log)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.service.command,
                env={
                    key: value for key, value in {**os.environ, **self.service.environment}.items() if value
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.restarts += 1
        self.started, self.ready = time.time(), False

    def watch(self) -> None:
        """Start the process, check it, or start it again."""
        if self.process is None:
            if not (self.service.once and self.ready) and time.monotonic() >= self.next_start:
                self.start()
            return
        code = self.process.poll()
        if code is not None:
            self._ended(code)
        elif not self.ready:
            self.ready = not self.service.once and (
                self.service.health is None or answers(self.service.health)
            )
            if not self.ready and time.time() - self.started > START_SECONDS:
                self.stop()

    def _ended(self, code: int) -> None:
        """Note the end of the process, and when it is to be started again."""
        self._kill_rest()
        self.process = None
        if self.service.once and code == 0:
            self.ready = True
            return
        quick = time.time() - self.started < LONGEST_PAUSE
        self.failures = self.failures + 1 if quick else 0
        pause = min(LONGEST_PAUSE, 2.0 ** min(self.failures - 1, 6)) if quick else 0.0
        print(f"{self.service.name} ended with {code}; started again in {pause:.0f} s", flush=True)
        self.ready, self.next_start = False, time.monotonic() + pause

    def _kill_rest(self) -> None:
        """End what a killed process has left: a child of a server still has the port of its successor.

        Flow runs are sessions of their own, and continue without their worker.
        """
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the process and those that it started; those that do not end in time are killed."""
        if self.process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            try:
                os.killpg(self.process.pid, sign)
                while time.monotonic() < deadline:
                    self.process.poll()  # collects it: what has ended would count as a member of the group
                    os.killpg(self.process.pid, 0)
                    time.sleep(0.05)
            except ProcessLookupError:
                return


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def supervise() -> None:
    """Keep the services of the stored settings running until SIGTERM or SIGINT.

    Raises:
        UserError: another supervisor runs, or there are no settings.
    """
    settings = read_settings()
    if settings is None:
        raise UserError("nothing to start: run `wavecast up` first")
    try:
        with FileLock(services_dir() / ".lock", timeout=0):
            _run([Running(service) for service in services(settings)])
    except Timeout:
        raise UserError("the services are running already; `wavecast down` stops them") from None


def _run(all_services: list[Running]) -> None:
    ending: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ending.append(number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        while not ending:
            ready = {each.service.name for each in all_services if each.ready}
            for each in all_services:
                if each.process or each.service.needs is None or each.service.needs in ready:
                    each.watch()
            _write_state(all_services)
            time.sleep(POLL_SECONDS)
    finally:
        for each in reversed(all_services):
            each.stop()
        (services_dir() / "state.json").unlink(missing_ok=True)


_written: dict[str, object] = {}


def _write_state(all_services: list[Running]) -> None:
    """Write `state.json` where it has changed."""
    state: dict[str, object] = {
        "supervisor": os.getpid(),
        "services": {
            each.service.name: {
                "pid": each.process.pid if each.process else None,
                "started": each.started,
                "restarts": max(each.restarts, 0),
                "ready": each.ready,
            }
            for each in all_services
        },
    }
    if state != _written:
        write_json(services_dir() / "state.json", state)
        _written.clear()
        _written.update(state)


if __name__ == "__main__":
    try:
        supervise()
    except UserError as problem:
        print(f"wavecast: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
