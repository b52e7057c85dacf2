"""The study of a search in Optuna's SQLite file: which trials there are, and which come next.

One process at a time uses the file. A trial of a killed process is still `RUNNING` in it and is taken up
again. The draws of a trial depend on the seed and the number of the trial, so that a search goes on as if it
had not been interrupted.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.tuning import TuningConfig
from pipeline.config.types import Scalar
from pipeline.errors import UserError, one_line, print_notice
from pipeline.tracking.local_store import sqlite_address
from pipeline.tracking.parents.search_folder import AGAIN
from pipeline.tuning.space import draw, size_of

if TYPE_CHECKING:
    import optuna

NAME = "wavecast"
MOST_REPEATS = 200
"""Draws in a row that only repeat earlier trials, after which the search ends."""
LOCK_SECONDS = 60
LABEL, RUN, REASON = "label", "run", "reason"
"""Attributes of trials: the variant, `trial-` and its number in the search; its run folder; why it failed
without one."""
REPEATS, RETRIES, LOST = "repeats", "retries", "lost"
"""Attributes of trials: the trial that it repeats; the lost trial that it takes up; and whether its training
was lost, so that the next call takes it up."""


def import_optuna() -> Any:
    """Return the module `optuna`, which prints nothing.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError(
            "wavecast tune needs the extra `tune`: pip install 'wavecast[tune]'", exit_code=2
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def storage_in_one_line(database: Path) -> Iterator[None]:
    """Report a study's file that can no longer be used, as on a full disk, as a user's error.

    Args:
        database: the SQLite file.

    Raises:
        UserError: the file cannot be read or written.
    """
    optuna = import_optuna()
    try:
        yield
    except optuna.exceptions.StorageInternalError as problem:
        reason = one_line(str(problem.__cause__ or problem).partition("\n")[0])
        raise UserError(f"{database}: the study cannot be used ({reason}); repeat the command") from None


class SearchStudy:
    """The trials of a search.

    Args:
        database: the SQLite file, which is created if it is missing.
        config: the section `tuning`.
        parallel: whether several trials are trained at the same time.
        variant: name of the variant that is searched; empty without one.

    Raises:
        UserError: Optuna is not installed, or the file is damaged.
    """

    def __init__(self, database: Path, config: TuningConfig, parallel: bool, variant: str = "") -> None:
        self.config, self.parallel, self.variant = config, parallel, variant
        self._optuna = import_optuna()
        database.parent.mkdir(parents=True, exist_ok=True)
        try:
            storage = self._optuna.storages.RDBStorage(
                sqlite_address(database), engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}}
            )
            self.study: optuna.Study = self._optuna.create_study(
                storage=storage, study_name=NAME, load_if_exists=True, pruner=self._pruner()
            )
        except Exception as problem:  # of SQLAlchemy, Alembic or Optuna
            reason = one_line(str(problem).partition("\n")[0])
            raise UserError(f"{database}: damaged study ({reason}); {AGAIN}") from None

    def trials(self) -> "list[optuna.trial.FrozenTrial]":
        """Return the trials in order, without repetitions and lost trials that were taken up again."""
        every = self.study.get_trials(deepcopy=False)
        replaced = {trial.user_attrs[RETRIES] for trial in every if RETRIES in trial.user_attrs}
        waiting = self._optuna.trial.TrialState.WAITING
        return [
            trial
            for trial in every
            if trial.number not in replaced and REPEATS not in trial.user_attrs and trial.state != waiting
        ]

    def next_trials(self) -> "Iterator[tuple[optuna.Trial, dict[str, Scalar]]]":
        """Yield trials that are to be trained, with their settings: interrupted, lost, and then new ones."""
        states = self._optuna.trial.TrialState
        for trial in self.trials():
            if trial.state == states.RUNNING and (found := self._unless_repeated(self._resumed(trial))):
                yield found
        for trial in self.trials():
            if trial.state == states.FAIL and trial.user_attrs.get(LOST):
                attributes = {RETRIES: trial.number, LABEL: trial.user_attrs[LABEL]}
                self.study.enqueue_trial(trial.params, attributes)
                yield self._drawn(self._asked())
        while len(self.trials()) < self.config.trials:
            exhausted = len(self.trials()) >= size_of(self.config.space)
            draws = (self._unless_repeated(self._asked()) for _ in range(0 if exhausted else MOST_REPEATS))
            found = next(filter(None, draws), None)
            if found is None:
                print_notice(
                    f"the space has no further settings: the search ends with {len(self.trials())} trials"
                )
                return
            yield found

    def prune_or_report(self, trial: "optuna.Trial", epoch: int, loss: float) -> bool:
        """Note a validation loss, once; return whether the trial is to be ended.

        Args:
            trial: the trial that is being trained.
            epoch: number of the epoch, from 1.
            loss: its validation loss in nats per step.
        """
        if epoch not in self.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
            trial.report(loss, epoch)
        return trial.should_prune()

    def finish(self, trial: "optuna.Trial", loss: float) -> None:
        """Note that a trial was trained to its end, with its lowest validation loss in nats per step."""
        self.study.tell(trial.number, loss)

    def end_early(self, trial: "optuna.Trial") -> None:
        """Note that a trial was pruned."""
        self.study.tell(trial.number, state=self._optuna.trial.TrialState.PRUNED)

    def fail(self, trial: "optuna.Trial", lost: bool, reason: str = "") -> None:
        """Note that a trial failed.

        Args:
            trial: the trial.
            lost: whether the next call takes it up again, as of a process that was killed.
            reason: why, where it has no run folder that states it.
        """
        trial.set_user_attr(LOST, lost)
        trial.set_user_attr(REASON, reason)
        self.study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)

    def _unless_repeated(self, trial: "optuna.Trial") -> "tuple[optuna.Trial, dict[str, Scalar]] | None":
        """Return a trial with its settings; None for one with those of an earlier trial, which then ends."""
        trial, settings = self._drawn(trial)
        for earlier in self.trials():
            if earlier.number < trial.number and earlier.params == settings:
                trial.set_user_attr(REPEATS, earlier.number)
                self.study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
                return None
        return trial, settings

    def _asked(self) -> "optuna.Trial":
        self.study.sampler = self._sampler(len(self.study.get_trials(deepcopy=False)))
        return self.study.ask()

    def _resumed(self, trial: "optuna.trial.FrozenTrial") -> "optuna.Trial":
        self.study.sampler = self._sampler(trial.number)
        found: optuna.Trial = self._optuna.Trial(self.study, trial._trial_id)
        return found

    def _drawn(self, trial: "optuna.Trial") -> "tuple[optuna.Trial, dict[str, Scalar]]":
        settings = draw(trial, self.config.space)
        if LABEL not in trial.user_attrs:  # which an earlier call gave it, and which names its run
            number = f"trial-{len(self.trials())}"
            trial.set_user_attr(LABEL, f"{self.variant}-{number}" if self.variant else number)
        return trial, settings

    def _sampler(self, number: int) -> Any:
        """Return the sampler of a trial, whose draws depend on the seed and its number."""
        seed = int(np.random.SeedSequence([self.config.seed, number]).generate_state(1)[0])
        samplers = self._optuna.samplers
        if self.config.sampler == "tpe":
            with warnings.catch_warnings():  # Optuna calls this argument experimental
                warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
                return samplers.TPESampler(seed=seed, constant_liar=self.parallel)
        return samplers.RandomSampler(seed=seed)

    def _pruner(self) -> Any:
        if self.config.pruner == "none":
            return self._optuna.pruners.NopPruner()
        return self._optuna.pruners.MedianPruner(
            n_startup_trials=self.config.pruner_trials, n_warmup_steps=self.config.pruner_epochs + 1
        )
