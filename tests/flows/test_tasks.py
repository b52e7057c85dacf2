"""The training task: an interrupted training is tried again and continues, a mistake is not."""

import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.stages import prepare_stage, start_stage
from pipeline.tracking.run_folder import RunFolder
from tests.flows.test_pipeline import TINY
from tests.helpers.sounds import write_noisy_tones

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def configuration(folder: Path, *settings: str) -> RunConfig:
    corpus = write_noisy_tones(folder / "tones", count=10, seconds=2.0, sample_rate=8000)
    return load_config(None, [f"corpus.inputs=[{corpus}]", *TINY, "train.batch_size=2", *settings])


def kill_the_training_once(run: RunFolder) -> None:
    deadline = time.monotonic() + 120
    while not run.lines():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (child,) = [x for x in psutil.Process().children() if str(run.path) in x.cmdline()]
    child.send_signal(signal.SIGKILL)


def starts_of_training(since: datetime) -> int:
    """Return how often the training task that began after a time was started, once it has ended."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    named = TaskRunFilter(name=TaskRunFilterName(like_="train"))
    deadline = time.monotonic() + 60
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:  # task runs reach the server's database with a delay
            runs = client.read_task_runs(task_run_filter=named)
            recent = [x for x in runs if x.expected_start_time and x.expected_start_time >= since]
            if recent and all(x.state and x.state.is_final() for x in recent):
                (training,) = recent
                return training.run_count
            time.sleep(0.5)
    pytest.fail("the end of the training task was not recorded within 60 s")


def test_a_killed_training_is_tried_again_and_continues_from_its_checkpoint(tmp_path: Path) -> None:
    from flows.train import train_models

    config = configuration(tmp_path, "train.epochs=12", "train.checkpoint_updates=5")
    run = RunFolder(start_stage(config, prepare_stage(config)))
    began = datetime.now(UTC)
    killer = threading.Thread(target=kill_the_training_once, args=(run,))
    killer.start()
    assert train_models(config) == [run.model]
    killer.join()
    assert starts_of_training(began) == 2
    steps = [line["step"] for line in run.lines() if "train/nats_per_step" in line["metrics"]]
    assert steps == sorted(set(steps))


def test_a_training_that_fails_by_its_settings_is_not_tried_again(tmp_path: Path) -> None:
    from flows.train import train_models

    diverging = ("train.learning_rate=1e30", "train.clip_norm=1e30", "train.warmup_updates=0")
    began = datetime.now(UTC)
    with pytest.raises(UserError, match=r"reduce train\.learning_rate"):
        train_models(configuration(tmp_path, "train.epochs=12", *diverging))
    assert starts_of_training(began) == 1
