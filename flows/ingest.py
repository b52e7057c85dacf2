"""The service that watches the inbox, and asks for a training when enough is new: `python -m flows.ingest`.

`wavecast up` keeps it running. The deployment `wavecast/nightly` has a trigger on the event.
"""

import sys
import time
from pathlib import Path

from prefect.events import emit_event
from prefect.events.worker import EventsWorker

from flows.deployments import ENOUGH, INGEST, NIGHTLY, scheduled_config
from pipeline.errors import UserError, one_line, print_line, reason_of
from pipeline.features.representations import representation_of
from pipeline.ingest.checking import Checker
from pipeline.ingest.ingest import Ingest, IngestSettings, Look, alone
from pipeline.services.health import ask
from pipeline.services.settings import ServiceSettings, read_settings


def watch(settings: ServiceSettings) -> None:
    """Look at the inbox again and again, for ever. A second process waits until the first has ended."""
    config = scheduled_config(settings)
    representation = representation_of(config.input)
    rate = representation.sound.sample_rate if representation.sound and settings.least_gain_db else None
    watched = IngestSettings(
        inbox=Path(settings.inbox or ""),
        recordings=Path(settings.recordings),
        name=config.name,
        settle_seconds=settings.settle_seconds,
        new_minutes=settings.new_minutes,
        notes=representation.notes is not None,
        least_gain_db=settings.least_gain_db,
    )
    with alone(watched.inbox), Checker(watched.notes, sample_rate=rate) as checker:
        ingest = Ingest(watched, checker)
        while True:
            look = ingest.look()
            for remark in look.remarks:
                _log(remark)
            if look.due and _is_free(settings):
                _ask_for_training(ingest, look)
            time.sleep(settings.look_seconds)


def _is_free(settings: ServiceSettings) -> bool:
    """Return whether Prefect answers and no run of the deployment is under way, which would drop another."""
    query = {
        "deployments": {"name": {"any_": [NIGHTLY]}},
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
    }
    try:
        return not ask(f"{settings.prefect_api}/flow_runs/filter", query)
    except (OSError, ValueError):
        return False


def _ask_for_training(ingest: Ingest, look: Look) -> None:
    """Emit the event that starts a run, and note that it was sent."""
    emit_event(
        event=ENOUGH,
        resource={"prefect.resource.id": INGEST, "prefect.resource.name": "ingest"},
        payload={"minutes": look.waiting_minutes},
    )
    EventsWorker.instance().drain()
    ingest.state.ask()
    ingest.state.save()
    _log(f"{look.waiting_minutes:.1f} minutes of recordings are new: a training is asked for")


def _log(remark: str) -> None:
    print_line(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {remark}", flush=True)


if __name__ == "__main__":
    try:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        stored = read_settings()
        if stored is None or stored.inbox is None:
            raise UserError("no inbox is watched: run `wavecast up`")
        watch(stored)
    except (UserError, OSError) as problem:
        print(f"wavecast: {one_line(reason_of(problem))}", file=sys.stderr)
        sys.exit(problem.exit_code if isinstance(problem, UserError) else 1)
