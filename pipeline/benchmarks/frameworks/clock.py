"""The clock that gives every method the same processor time, and counts what it trains in it."""

import time


class Clock:
    """Counts the updates of a training and says when its time is over.

    Processor time of the whole process counts, so that other programs on the machine cost no method its
    share. The first update is not counted, since compilers run in it.

    Args:
        seconds: processor time of the training.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._updates = -1
        self._samples = 0
        self._began = self._began_wall = 0.0
        self._spent = self._spent_wall = 0.0

    def after_update(self, samples: int) -> bool:
        """Note an update, and return whether the time is over.

        Args:
            samples: number of samples whose likelihood was trained on.
        """
        now, now_wall = time.process_time(), time.perf_counter()
        self._updates += 1
        if not self._updates:
            self._began, self._began_wall = now, now_wall
            return False
        self._samples += samples
        self._spent, self._spent_wall = now - self._began, now_wall - self._began_wall
        return self._spent >= self._seconds

    def figures(self, hop: int) -> dict[str, float]:
        """Return the number of updates, and steps of ``hop`` samples per second of processor and of wall."""
        steps = self._samples / hop
        return {
            "updates": self._updates,
            "steps_per_second": steps / self._spent,
            "wall_steps_per_second": steps / self._spent_wall,
        }
