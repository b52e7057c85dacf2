"""Rounds of updates: one of each training, computed together."""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from models.recurrent.stack import State
from pipeline.errors import TrainingDiverged, UserError
from pipeline.training.step import Pending, Training, update_all


class Done(NamedTuple):
    """What came of an update: the state after it, and its share of the time, in seconds."""

    state: State
    seconds: float


Updates = Generator[Pending | None, Done | None, None]
"""The updates of a training. It yields one to be computed, or None after one that it computed by itself."""


@dataclass(eq=False)
class Course:
    """A training with its updates, and the one that it waits for."""

    training: Training
    updates: Updates
    pending: Pending | None = None

    def advance(self, found: State | TrainingDiverged | None, seconds: float) -> bool:
        """Go on to the next update; return whether there is one.

        Args:
            found: what came of the one before; None for the first, and for one that was not waited for.
            seconds: share of the time that it was computed in.

        Raises:
            UserError: the training failed.
        """
        with self.training.turn():
            try:
                if isinstance(found, TrainingDiverged):
                    self.pending = self.updates.throw(found)
                else:
                    self.pending = self.updates.send(None if found is None else Done(found, seconds))
            except StopIteration:
                return False
        return True


def _raise(course: Course, problem: UserError) -> NoReturn:
    raise problem


def run_rounds(
    courses: Iterable[Course],
    on_round: Callable[[], None] = lambda: None,
    on_failure: Callable[[Course, UserError], None] = _raise,
) -> None:
    """Train until all trainings have ended.

    Args:
        courses: the trainings.
        on_round: called after each round.
        on_failure: called for a training that failed; the others go on.
    """

    def goes_on(course: Course, found: State | TrainingDiverged | None, seconds: float) -> bool:
        try:
            return course.advance(found, seconds)
        except UserError as problem:
            on_failure(course, problem)
            return False

    live = [course for course in courses if goes_on(course, None, 0.0)]
    while live:
        began = time.monotonic()
        waiting = [course.pending for course in live if course.pending is not None]
        found = iter(update_all(waiting) if waiting else ())
        share = (time.monotonic() - began) / max(1, len(waiting))
        live = [each for each in live if goes_on(each, None if each.pending is None else next(found), share)]
        on_round()
