"""The search: trials are drawn in this process, and trained where `run.workers` states, several at once."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipeline.common.files import read_json
from pipeline.config.loading import trial_config
from pipeline.config.run import RunConfig
from pipeline.config.types import Scalar
from pipeline.errors import UserError
from pipeline.promotion.starting import choose_start
from pipeline.stages import PREPARE_AGAIN, Fingerprinted
from pipeline.tracking.parents.search_folder import STUDY, SearchRecord, TrialRecord
from pipeline.tracking.parents.search_run import try_send_search
from pipeline.tracking.run_folder import start_run
from pipeline.training.processes.runners import count_now, count_slots, groups_for
from pipeline.tuning.record import search_folder, write_record
from pipeline.tuning.study import LABEL, RUN, SearchStudy, storage_in_one_line
from pipeline.tuning.trial import record_of, train_trial

if TYPE_CHECKING:
    import optuna

COUNT_SECONDS = 10.0
"""Time between two counts of a cluster's workers, in seconds."""
OnTrial = Callable[[TrialRecord, SearchRecord], None]


def run_search(
    config: RunConfig, dataset: Path, variant: str = "", on_trial: OnTrial = lambda trial, record: None
) -> tuple[Path, SearchRecord]:
    """Train the trials of a search that are not trained yet, and return its folder and record.

    Args:
        config: the configuration that is searched, without variants.
        dataset: the prepared data set.
        variant: name of the variant that the configuration is of, for the name of the search.
        on_trial: called when a trial has ended.

    Raises:
        UserError: nothing is to be searched, Optuna is not installed, another process runs this search, the
            cluster cannot be used, or every trial failed.
    """
    if not config.tuning.space:
        raise UserError("tuning.space is empty: name the settings to search", exit_code=2)
    fingerprint = str(read_json(dataset, "prepared data set", Fingerprinted, PREPARE_AGAIN)["fingerprint"])
    folder = search_folder(config, fingerprint, variant)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".search.lock", timeout=0), storage_in_one_line(folder / STUDY):
            search = _Search(config, dataset, fingerprint, folder, variant, on_trial)
            search.run()
            record = search.record()
    except Timeout:
        raise UserError(f"{folder}: another process runs this search") from None
    try_send_search(folder)
    if not record["best"]:
        reasons = [trial.get("reason", "no reason is known") for trial in record["trials"]]
        raise UserError(f"no trial was trained to its end (the last: {reasons[-1]})")
    return folder, record


class _Search:
    """A search in progress."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Path,
        fingerprint: str,
        folder: Path,
        variant: str,
        on_trial: OnTrial,
    ) -> None:
        self.config, self.dataset, self.fingerprint = config, dataset, fingerprint
        self.folder, self.on_trial = folder, on_trial
        self.on_cluster = isinstance(config.run.workers, str)
        parallel = count_slots(config.run, config.tuning.trials) * config.run.together > 1
        self.study = SearchStudy(folder / STUDY, config.tuning, parallel, variant)
        self.variant = variant
        self.stop = threading.Event()
        self.sending = True

    def run(self) -> None:
        """Train all trials, as many at once as there are slots.

        A slot is a process. It has the trials that are trained together, and is free when all have ended.
        """
        trials, together = self.study.next_trials(), self.config.run.together
        waiting: dict[Future[None], str] = {}
        with ThreadPoolExecutor(self.config.tuning.trials, thread_name_prefix="trial") as pool:
            try:
                more, slots = True, 1
                while more or waiting:
                    with suppress(UserError):  # a cluster that is lost ends the trials themselves
                        slots = self._slots()
                    while more and len(waiting) <= (slots - 1) * together:
                        drawn = list(islice(trials, together))
                        more = len(drawn) == together
                        waiting |= self._submitted(pool, drawn)
                    seconds = COUNT_SECONDS if more and self.on_cluster else None
                    for future in wait(waiting, seconds, FIRST_COMPLETED).done:
                        label = waiting.pop(future)
                        future.result()
                        self._report(label)
            finally:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _slots(self) -> int:
        """Return how many trials to start at the same time.

        On a cluster one more waits than its workers train now: an adaptive cluster then starts another
        worker, and a worker that is done has the next trial at once.
        """
        return count_now(self.config.run) + self.on_cluster

    def _submitted(
        self, pool: ThreadPoolExecutor, drawn: "list[tuple[optuna.Trial, dict[str, Scalar]]]"
    ) -> dict[Future[None], str]:
        """Start trials together; return the label of each that could begin."""
        runs = {trial: run for trial, settings in drawn if (run := self._begun(trial, settings))}
        groups = groups_for(runs.values(), self.config.run, slots=1)
        return {
            pool.submit(
                train_trial, self.study, trial, run, self.config.run, self.stop, groups.get(run)
            ): trial.user_attrs[LABEL]
            for trial, run in runs.items()
        }

    def _begun(self, trial: "optuna.Trial", settings: dict[str, Scalar]) -> Path | None:
        """Return the run folder of a trial; None for one that has failed, as its settings do not fit."""
        try:
            config = trial_config(self.config, settings)
        except UserError as problem:
            self.study.fail(trial, lost=False, reason=str(problem))
            self._report(trial.user_attrs[LABEL])
            return None
        label = trial.user_attrs[LABEL]
        without_variant = label.removeprefix(f"{self.variant}-")
        run = start_run(config, self.dataset, self.fingerprint, label, earlier=without_variant)
        choose_start(run)
        trial.set_user_attr(RUN, run.path.name)
        return run.path

    def record(self) -> SearchRecord:
        """Write and return the record of the trials that have ended."""
        ended = [
            record_of(trial.user_attrs, trial.params, self.folder.absolute().parents[1] / "runs")
            for trial in self.study.trials()
            if trial.state.is_finished()
        ]
        return write_record(self.folder, self.config, self.fingerprint, ended)

    def _report(self, label: str) -> None:
        record = self.record()
        (trial,) = (each for each in record["trials"] if each["label"] == label)
        self.on_trial(trial, record)
        self.sending = self.sending and try_send_search(self.folder, ended=False)
