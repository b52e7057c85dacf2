"""One look at the inbox and at the recordings: check, move, count, and decide whether a training is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.common.files import atomic_path, data_dir
from pipeline.common.locks import announced_lock
from pipeline.data.corpora.side_files import is_side_file
from pipeline.ingest.arrival import Arrivals, Stamp, others_below, stamp_of
from pipeline.ingest.checking import Checked, Checker
from pipeline.ingest.moving import move
from pipeline.ingest.state import State

QUIET_FACTOR = 10.0
"""A training waits until all files have arrived, unless this many times as much as needed is there."""


@dataclass(frozen=True)
class IngestSettings:
    """What is watched.

    Attributes:
        inbox: folder in which files arrive.
        recordings: folder that trainings prepare.
        name: of the configuration whose trainings count.
        settle_seconds: a file is complete once it is unchanged for this long, over two looks at least.
        new_minutes: a training is due when this much is new.
        notes: whether files of notes (MIDI) are expected instead of sound.
        least_gain_db: a recording of a smaller prediction gain is rejected as noise; 0 accepts all.
    """

    inbox: Path
    recordings: Path
    name: str
    settle_seconds: float = 5.0
    new_minutes: float = 1.0
    notes: bool = False
    least_gain_db: float = 1.0


@dataclass
class Look:
    """What a look has found: sentences for the log, and whether a training is due."""

    remarks: list[str] = field(default_factory=list)
    due: bool = False
    waiting_minutes: float = 0.0


def ingest_dir() -> Path:
    """Return the folder of the state and the lock."""
    return data_dir() / "ingest"


@contextmanager
def alone(inbox: Path) -> Iterator[None]:
    """Hold the lock of the ingest; a second process waits here, with a notice on standard error.

    Args:
        inbox: named in the notice.
    """
    ingest_dir().mkdir(parents=True, exist_ok=True)
    with announced_lock(ingest_dir() / ".lock", f"{inbox} is being watched"):
        yield


class Ingest:
    """The inbox and the recordings over several looks; use it within `alone`."""

    def __init__(self, settings: IngestSettings, checker: Checker) -> None:
        self.settings, self._checker = settings, checker
        self.state = State.load(ingest_dir() / "state.json", settings.recordings)
        self._inbox = Arrivals(settings.inbox, settings.settle_seconds)
        self._recordings = Arrivals(settings.recordings, settings.settle_seconds)
        self._said: set[str] = set()

    def look(self) -> Look:
        """Take in what has arrived, and decide whether a training is due; `State.ask` notes that it began."""
        result = Look()
        arrived, arriving = self._inbox.look()
        changed = False
        for path, stamp in arrived.items():
            try:
                changed |= self._take(path, stamp, result.remarks)
            except OSError as problem:
                self._say_once(f"{path}: cannot be taken in ({problem.strerror or problem})", result.remarks)
        for path in others_below(self.settings.inbox):
            what = "a link, a device or a pipe, not a file"
            self._say_once(f"{path}: cannot be taken in ({what})", result.remarks)
        settled, settling = self._recordings.look()
        for path, stamp in settled.items():
            if not self.state.knows(path, stamp):
                changed |= self._count(path, stamp, result.remarks)
        changed |= self.state.forget_deleted()
        trained = self.state.note_trainings(self.settings.name)
        if changed or trained:
            self.state.save()
        unsettled = arriving + settling
        new = self.state.not_asked_seconds
        needed = 60 * self.settings.new_minutes
        result.due = new >= needed and (not unsettled or new >= QUIET_FACTOR * needed)
        result.waiting_minutes = self.state.waiting_seconds / 60
        if trained:
            left = f"{result.waiting_minutes:.1f} minutes are not used yet"
            result.remarks.append(f"a training has finished ({', '.join(trained)}); {left}")
        return result

    def _take(self, path: Path, stamp: Stamp, remarks: list[str]) -> bool:
        """Check a file of the inbox and move it; return whether the state has changed."""
        below = path.relative_to(self.settings.inbox)
        side = is_side_file(path)
        checked = None if side else self._checker.check(path)
        if stamp_of(path) != stamp:  # it was written to while it was checked
            return False
        reason = self._reason(checked) if checked else ""
        if reason:
            target = data_dir() / "quarantine" / below
            note = target.with_name(f"{target.name}.reason.txt")
            with atomic_path(note) as temporary:
                temporary.write_text(f"{reason}\n", errors="replace")
            place = move(path, target)
            where = f"moved to {place}" if place else "dropped, the quarantine has it"
            remarks.append(f"{below}: rejected ({reason}); {where}")
            return False
        place = move(path, self.settings.recordings / below)
        if place is None:
            remarks.append(f"{below}: dropped, the same recording is there already")
            return False
        moved = stamp_of(place)
        if moved is not None:
            self.state.add(place, moved, checked.seconds if checked else 0.0)
        renamed = f" as {place.name}" if place.name != path.name else ""
        length = f" ({checked.seconds:.1f} s)" if checked else ""
        remarks.append(f"{below}: accepted{renamed}{length}")
        return True

    def _reason(self, checked: Checked) -> str:
        """Return why a file is rejected, empty for a good one."""
        if checked.reason or checked.gain_db >= self.settings.least_gain_db:
            return checked.reason
        return (
            f"noise: linear prediction gains {checked.gain_db:.1f} dB, less than "
            f"{self.settings.least_gain_db:g} dB (--least-gain-db of `wavecast up`)"
        )

    def _count(self, path: Path, stamp: Stamp, remarks: list[str]) -> bool:
        """Count a file that was put into the folder of recordings; nothing is moved from there."""
        if is_side_file(path):
            self.state.add(path, stamp, 0.0)
            return True
        try:
            checked = self._checker.check(path, whole=False)
        except OSError:
            return False
        self.state.add(path, stamp, checked.seconds, checked.reason)
        if checked.reason:
            remarks.append(f"{path}: cannot be used ({checked.reason}); it is left where it is")
        return True

    def _say_once(self, remark: str, remarks: list[str]) -> None:
        if remark not in self._said:
            self._said.add(remark)
            remarks.append(remark)
