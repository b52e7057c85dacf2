"""The pipeline's stages as Prefect tasks.

Tasks exchange paths, never arrays. Prefect caches none of them. Every stage finds finished work by content
(data sets and runs are named by hashes) and checks that it still exists, which a cached path does not.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency

from pipeline import stages
from pipeline.config.run import RunConfig
from pipeline.errors import TrainingInterrupted
from pipeline.tracking.run_folder import RunFolder

UNCACHED: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


@task(name="prepare", **UNCACHED)
def prepare(config: RunConfig) -> Path:
    """Decode new recordings into a data set."""
    return stages.prepare_stage(config)


def _interrupted(task: Any, run: Any, state: State[Any]) -> bool:
    """Return whether a training was ended from outside; other failures would occur again."""
    return isinstance(state.result(raise_on_failure=False), TrainingInterrupted)


@task(name="train", retries=2, retry_delay_seconds=30, retry_condition_fn=_interrupted, **UNCACHED)
def train(run: Path) -> Path:
    """Train in a child process; a retry resumes from the last checkpoint."""
    with _one_training_per_gpu(RunFolder(run).config()):
        return stages.train_stage(run)


@task(name="evaluate", **UNCACHED)
def evaluate(run: Path) -> Path:
    """Evaluate a trained run against the baselines, and write its plots and sounds."""
    return stages.evaluate_stage(run)


@task(name="promote", **UNCACHED)
def promote(config: RunConfig, runs: list[Path]) -> dict[str, Any]:
    """Register the models; the best one becomes champion if it is better than the present one."""
    return stages.promote_stage(config, runs)


@task(name="report", **UNCACHED)
def report(config: RunConfig, dataset: Path, runs: list[Path], promotion: dict[str, Any]) -> Path:
    """Write the summary of figures, plots and sounds."""
    return stages.report_stage(config, dataset, runs, promotion)


def _one_training_per_gpu(config: RunConfig) -> AbstractContextManager[Any]:
    """Wait until no other flow trains on the same GPU, if the server has a limit named like `gpu:0`."""
    from pipeline.common.devices import choose_device

    device = choose_device(config.train.device)
    if device.type != "cuda":
        return nullcontext()
    # A missed renewal of the lease must not kill a training of hours.
    return concurrency(f"gpu:{device.index or 0}", occupy=1, raise_on_lease_renewal_failure=False)
