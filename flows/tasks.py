"""The pipeline's stages as Prefect tasks, with names, progress and messages for their page.

Tasks exchange paths, never arrays. Prefect caches none of them. Every stage finds finished work by content
(data sets and runs are named by hashes) and checks that it still exists, which a cached path does not.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event
from typing import Any, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.states import Completed

from flows.pages.artifacts import decision_text, key_of, publish_summary
from flows.pages.messages import dataset_text, evaluation_text, training_text
from flows.pages.progress import TrainingObserver, preparation_progress
from flows.pages.run_logs import keep_mistakes_short, mistakes_in_a_sentence, notices_on_page
from pipeline import stages
from pipeline.config.run import RunConfig
from pipeline.config.runners import ONE_AT_A_TIME, RunnersConfig
from pipeline.errors import TrainingInterrupted
from pipeline.tracking.comparison_folder import read_summary
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.runners import stop_when
from pipeline.training.processes.shared import SharedTraining

UNCACHED: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
Value = TypeVar("Value")

keep_mistakes_short()


def completed(value: Value, message: str) -> Value:
    """Return the state of a finished run with a message for page and log; its caller receives ``value``."""
    return cast("Value", Completed(message=message, data=value))


def value_of(state: State[Value]) -> Value:
    """Return the value of a task run that was called with `return_state=True`, or raise its exception.

    Without that argument Prefect returns the state itself where a task gives one.
    """
    return state.result()


@task(name="prepare", task_run_name="prepare {config.name}", **UNCACHED)
@mistakes_in_a_sentence
def prepare(config: RunConfig) -> Path:
    """Decode new recordings into a data set."""
    with notices_on_page():
        dataset = stages.prepare_stage(config, progress=preparation_progress(config.name))
    return completed(dataset, dataset_text(dataset))


def _interrupted(task: Any, run: Any, state: State[Any]) -> bool:
    """Return whether a training was ended from outside; other failures would occur again."""
    return isinstance(state.result(raise_on_failure=False), TrainingInterrupted)


def _named(stage: str) -> Callable[..., str]:
    """Return a function that names a task run by its stage and its variant."""

    def name(parameters: dict[str, Any]) -> str:
        return f"{stage} {RunFolder(parameters['run']).description()['variant']}"

    return name


@task(
    name="train",
    task_run_name=_named("train"),
    retries=2,
    retry_delay_seconds=30,
    retry_condition_fn=_interrupted,
    **UNCACHED,
)
@mistakes_in_a_sentence
def train(
    run: Path,
    where: RunnersConfig = ONE_AT_A_TIME,
    stop: Event | None = None,
    shared: SharedTraining | None = None,
) -> Path:
    """Train in a child process, here or on a cluster; a retry resumes from the last checkpoint."""
    folder = RunFolder(run)
    config, description = folder.config(), folder.description()
    if folder.status()["status"] == "finished":
        return completed(folder.model, "nothing to train: this training is finished")
    variant = description["variant"]
    observer = TrainingObserver(
        run, key_of(config.name, "training", variant if variant != config.name else "")
    )
    with _one_training_per_gpu(config), notices_on_page():
        model = stages.train_stage(run, _until(stop, observer), where, shared)
    observer.finish()
    return completed(model, training_text(run))


def _until(stop: Event | None, observe: Callable[[], None]) -> Callable[[], None]:
    """Return an observer that also ends the training when ``stop`` is set, as its flow ends."""
    if stop is None:
        return observe
    stop_if_set = stop_when(stop)

    def both() -> None:
        stop_if_set()
        observe()

    return both


@task(name="evaluate", task_run_name=_named("evaluate"), **UNCACHED)
@mistakes_in_a_sentence
def evaluate(run: Path) -> Path:
    """Evaluate a trained run against the baselines, and write its plots and sounds."""
    with notices_on_page():
        evaluation = stages.evaluate_stage(run)
    return completed(evaluation, evaluation_text(run))


@task(name="promote", task_run_name="promote {config.name}", **UNCACHED)
@mistakes_in_a_sentence
def promote(config: RunConfig, runs: list[Path]) -> dict[str, Any]:
    """Register the models; the best one becomes champion if it is better than the present one."""
    with notices_on_page():
        promotion = stages.promote_stage(config, runs)
    return completed(promotion, decision_text(promotion))


@task(name="report", task_run_name="report {config.name}", **UNCACHED)
@mistakes_in_a_sentence
def report(
    config: RunConfig,
    dataset: Path,
    runs: list[Path],
    promotion: dict[str, Any],
    failures: dict[str, Exception] | None = None,
) -> Path:
    """Write the summary of figures, plots and sounds, and show it on the flow run's page."""
    with notices_on_page():
        path = stages.report_stage(config, dataset, runs, promotion, failures)
    publish_summary(read_summary(path), path, config.tracking.uri)
    return completed(path, f"the summary is {path}")


def _one_training_per_gpu(config: RunConfig) -> AbstractContextManager[Any]:
    """Wait until no other flow trains on the same GPU, if the server has a limit named like `gpu:0`."""
    from pipeline.common.devices import choose_device

    device = choose_device(config.train.device)
    if device.type != "cuda":
        return nullcontext()
    # A missed renewal of the lease must not kill a training of hours.
    return concurrency(f"gpu:{device.index or 0}", occupy=1, raise_on_lease_renewal_failure=False)
