"""Faults at random times while `wavecast up` trains each new recording, and what came of them.

`python -m tests.helpers.faults.matrix FOLDER [COUNT [SEED]]` prints the table. 30 faults take about an hour.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from pipeline.common.files import read_json
from pipeline.errors import UserError
from pipeline.services.health import ask
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.clusters.postgresql import PostgreSQL, postgresql
from tests.helpers.clusters.services import OTHER_SERVERS, call_wavecast
from tests.helpers.faults.arrivals import arrive, run_with
from tests.helpers.faults.checks import left_running, problems, under_way
from tests.helpers.faults.plan import Fault, plan, table
from tests.helpers.faults.targets import flows, send, targets, trainings
from tests.helpers.tracked_runs import free_port

SETTINGS = (
    *("train.epochs=80", "train.patience_epochs=80", "train.checkpoint_updates=20", "train.log_updates=5"),
    *("train.device=cpu", "model.hidden_size=8", "model.mixture_components=2", "samples.count=0"),
    *("input.sample_rate=8000", "corpus.group=recording", "evaluate.horizons=[]"),
)
AWAY_SECONDS = 60.0
RESTART_SECONDS = 10.0
"""Until the operating system has started PostgreSQL again."""
LOST_SECONDS = 900.0
"""A training that is not complete so long after its recording and the last fault is lost."""
SPEAKERS = 12
"""Recordings before the first fault."""


@dataclass
class Matrix:
    """A test under way: the faults that are left, the recording that waits for its training, and counts."""

    home: Path
    api: str
    database: PostgreSQL
    random: Random
    faults: list[Fault]
    done: list[Fault] = field(default_factory=list)
    recordings: int = SPEAKERS
    newest: Path = Path()
    arrived: float = 0.0
    last_fault: float = 0.0
    trained: list[RunFolder] = field(default_factory=list)
    hit: list[tuple[Fault, float]] = field(default_factory=list)
    most_trainings: int = 0
    _due: float = 0.0
    _end: tuple[float, Callable[[], None]] | None = None

    def run(self) -> None:
        """Inflict the faults one after the other, and wait for the training after the last one."""
        for number in range(SPEAKERS):
            arrive(self.home / "recordings", number)
        self._next_recording()
        after_last = False
        while True:
            self.most_trainings = max(self.most_trainings, len(trainings(self.home)))
            self._step()
            if self._is_complete():
                over = not self.faults and self._end is None
                if over and after_last:
                    return
                after_last = over
                self._next_recording()
            if time.time() - max(self.arrived, self.last_fault) > LOST_SECONDS:
                raise AssertionError(f"{self.newest.name} was not trained within {LOST_SECONDS:.0f} s")
            time.sleep(0.5)

    def _next_recording(self) -> None:
        self.newest = arrive(self.home / "recordings", self.recordings)
        self.recordings, self.arrived = self.recordings + 1, time.time()
        log(f"{self.newest.name} has arrived")

    def _is_complete(self) -> bool:
        """Return whether the newest recording is trained, reported and registered."""
        run = run_with(self.home, self.newest)
        if run is None or run.status()["status"] != "finished":
            return False
        fingerprint = run.description()["fingerprint"]
        try:
            (path,) = (self.home / "reports").glob(f"*-{fingerprint}/summary.json")
            note = json.loads((run.path / "tracking.json").read_text())
            promotion = read_json(path, "summary")["promotion"]
        except (ValueError, OSError, UserError):
            return False
        if promotion["version"] is None or note["pending"] or note["status"] != "finished":
            return False
        self.trained.append(run)
        for fault, began in self.hit:
            fault.recovered_s = time.time() - began
        self.hit.clear()
        log(f"{self.newest.name} is trained, {time.time() - self.arrived:.0f} s after it arrived")
        return True

    def end_fault(self) -> None:
        """Continue or start again what is away."""
        if self._end is not None:
            self._end[1]()
            self.last_fault = time.time()
            log("... is back")
            self._end, self._due = None, time.monotonic() + self.random.uniform(5, 40)

    def _step(self) -> None:
        """End a fault, or inflict the next one when its time has come."""
        now = time.monotonic()
        if self._end is not None:
            if now >= self._end[0]:
                self.end_fault()
            return
        if not self.faults or now < self._due:
            return
        fault = self.faults[0]
        found = targets(self.home, self.database, self.random)[fault.target]()
        if found:
            self._inflict(self.faults.pop(0), found)

    def _inflict(self, fault: Fault, found: list[psutil.Process]) -> None:
        training, flow = trainings(self.home), flows(self.home)
        fault.during = "training" if training else "other stages" if flow else "between runs"
        with suppress(OSError, ValueError):  # Prefect may be away itself
            fault.flow_run = next((str(run["id"]) for run in under_way(self.api) if flow), "")
        self.done.append(fault)
        self.last_fault = time.time()
        self.hit.append((fault, self.last_fault))
        log(f"fault {len(self.done)}: {fault.target} {fault.kind}, {fault.during}")
        self._due = time.monotonic() + self.random.uniform(5, 40)
        if fault.kind == "away":
            send(found, signal.SIGSTOP)
            self._end = time.monotonic() + AWAY_SECONDS, lambda: send(found, signal.SIGCONT)
        elif fault.target == "PostgreSQL":
            send(found[:1], signal.SIGKILL)
            self._end = time.monotonic() + RESTART_SECONDS, self.database.start
        elif fault.target == "worker and flow process":
            send(found, signal.SIGKILL)
        else:
            send(found[-1:] if fault.target.endswith("process") else found[:1], signal.SIGKILL)


def log(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def measure(home: Path, database: PostgreSQL, count: int, seed: int) -> tuple[list[Fault], list[str]]:
    """Start the services, inflict the faults, and return them with a sentence for each mistake found."""
    import psycopg
    from mlflow import MlflowClient

    with psycopg.connect(f"postgresql://admin@{database.place}/postgres", autocommit=True) as admin:
        admin.execute("create database wavecast")
    ports = free_port(), free_port()
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    options = ["--mlflow-port", str(ports[0]), "--prefect-port", str(ports[1]), "--cron", "* * * * *"]
    options += ["--database", f"postgresql://admin@{database.place}/wavecast", "--new-minutes", "100"]
    log(call_wavecast("up", "--config", "base", *options, *settings))
    api = f"http://127.0.0.1:{ports[1]}/api"
    random = Random(seed)
    matrix = Matrix(home, api, database, random, plan(random, count))
    try:
        matrix.run()
        wrong = _pause(api)
        wrong += left_running(api, 300)
        runs = [RunFolder(file.parent) for file in sorted((home / "runs").glob("*/run.json"))]
        wrong += problems(MlflowClient(f"http://127.0.0.1:{ports[0]}"), runs)
        log(f"{len(runs)} trainings for {len(matrix.trained)} recordings that arrived one at a time")
        if len(runs) != len(matrix.trained):
            wrong.append(f"{len(runs)} trainings, {len(matrix.trained)} were due")
        if matrix.most_trainings > 1:
            wrong.append(f"{matrix.most_trainings} trainings ran at once")
        hit = [fault for fault in matrix.done if fault.flow_run]
        for number, fault in enumerate(hit):
            if any(later.flow_run == fault.flow_run for later in hit[number + 1 :]):
                fault.outcome = "WENT ON"
            else:
                ended = ask(f"{api}/flow_runs/{fault.flow_run}")
                fault.outcome = ended["state_type"]
                log(f"{fault.target} {fault.kind}, {fault.during}: {ended['state']['message']}")
    finally:
        matrix.end_fault()
        log(table(matrix.done))
        call_wavecast("down")
    return matrix.done, wrong


def _pause(api: str) -> list[str]:
    """Pause the schedule; return a sentence if the next runs were not planned."""
    nightly = ask(f"{api}/deployments/name/wavecast/nightly")["id"]
    filters = {
        "deployments": {"id": {"any_": [nightly]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    planned = ask(f"{api}/flow_runs/filter", filters)
    ask(f"{api}/deployments/{nightly}/pause_deployment", {})
    return [] if planned else ["no further run is planned"]


def main() -> None:
    """Run the matrix in an empty folder; exit with 1 if anything is lost, twice or left."""
    folder = Path(sys.argv[1]).absolute()
    home = folder / "home"
    (home / "recordings").mkdir(parents=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    for name in OTHER_SERVERS:
        os.environ.pop(name, None)
    os.environ["WAVECAST_DATA"] = str(home)
    count, seed = (int(text) for text in [*sys.argv[2:4], *("30", "1")[len(sys.argv[2:4]) :]])
    with postgresql() as database:
        _, wrong = measure(home, database, count, seed)
    print("\n".join(wrong) or "nothing was lost, nothing was there twice, no flow run was left running")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
