"""The deployments of scheduled runs on a Prefect server, and the automations that belong to them.

`wavecast up` runs this module as a command; `prefect.yaml` has the same deployments for `prefect deploy`.
"""

import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from prefect import Flow
from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import DeploymentEventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from flows.pipeline import wavecast_pipeline
from flows.prepare import prepare_corpus
from pipeline.config.loading import load_config, validated
from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.services.lost_runs import FLOWS, HEARTBEAT, SILENCE, START
from pipeline.services.settings import POOL, ServiceSettings, read_settings

ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
"""A run that is due while one is still training is skipped."""


NIGHTLY = "nightly"
"""The deployment of scheduled runs."""

ENOUGH = "wavecast.ingest.enough"
"""The event by which the service `ingest` asks for a run."""

INGEST = "wavecast.ingest"
"""The resource that the event is about."""


def scheduled_config(settings: ServiceSettings) -> RunConfig:
    """Return the configuration of the scheduled runs.

    Raises:
        UserError: it is wrong.
    """
    loaded = load_config(Path(settings.config), settings.overrides)
    changed = loaded.model_dump(mode="json")
    changed["corpus"]["inputs"] = [settings.recordings]
    return validated(changed, settings.config)


def deploy(settings: ServiceSettings) -> None:
    """Make the work pool, deployments and automations, or bring those that exist up to date."""
    config = scheduled_config(settings).model_dump(mode="json")
    _make_work_pool()
    schedule = CronSchedule(cron=settings.cron, timezone=settings.timezone)
    _deploy(
        wavecast_pipeline,
        NIGHTLY,
        "Prepare new recordings, train and evaluate. A better model becomes the champion.",
        config,
        schedules=[schedule],
        concurrency_limit=ONE_AT_A_TIME,
        triggers=[
            DeploymentEventTrigger(
                name="wavecast: enough is new", expect={ENOUGH}, match={"prefect.resource.id": INGEST}
            )
        ],
    )
    _deploy(prepare_corpus, "prepare", "Decode new recordings into a data set.", config)
    for automation in (crashed_without_heartbeat(), crashed_before_start()):
        _make_automation(automation)


def _make_work_pool() -> None:
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _deploy(flow: Flow[Any, Any], name: str, description: str, config: dict[str, Any], **how: Any) -> None:
    """Deploy a flow by the name of its module, so that an installed package needs no copy of the source."""
    deployment = flow.to_deployment(
        name,
        description=description,
        parameters={"config": config},
        work_pool_name=POOL,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **how,
    )
    deployment.apply()  # type: ignore[union-attr]  # a coroutine only where a loop runs


def crashed_without_heartbeat() -> Automation:
    """Return the automation by which a run whose process was killed becomes `Crashed`.

    As in Prefect's guide "How to detect and respond to zombie flows". Other flows on the same server are
    left alone, since they may send heartbeats less often.
    """
    return _crashed_when_silent(
        "wavecast: a run without heartbeat has crashed", {HEARTBEAT}, SILENCE, "no heartbeat"
    )


def crashed_before_start(within: timedelta = START) -> Automation:
    """Return the automation by which a run that was killed before its first heartbeat becomes `Crashed`.

    Args:
        within: time from the submission of a run to its first sign of life.
    """
    submitted = {"prefect.flow-run.Pending", "prefect.flow-run.Submitting"}
    name = "wavecast: a run that does not start has crashed"
    return _crashed_when_silent(name, submitted, within, "no sign of life since it was submitted")


def _crashed_when_silent(name: str, after: set[str], within: timedelta, what: str) -> Automation:
    """Return the automation by which a run becomes `Crashed` that sends nothing for a time after an event."""
    ends = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
    return Automation(
        name=name,
        trigger=EventTrigger(
            after=after,
            expect={HEARTBEAT, "prefect.flow-run.Running"} | ends,
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"{what} for {within.seconds} s: its process was killed or the machine has "
                "restarted. The next run continues from the last checkpoint.",
            )
        ],
    )


def _make_automation(automation: Automation) -> None:
    try:
        found = cast(Automation, Automation.read(name=automation.name))  # a coroutine only where a loop runs
    except (ValueError, ObjectNotFound):
        automation.create()
        return
    found.trigger, found.actions = automation.trigger, automation.actions
    found.update()


if __name__ == "__main__":
    try:
        stored = read_settings()
        if stored is None:
            raise UserError("no settings of the services: run `wavecast up`")
        deploy(stored)
    except UserError as problem:
        print(f"wavecast: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
