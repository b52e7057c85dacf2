"""The recordings that are known, which of them a training has used, and for which one was asked."""

from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import TypedDict

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.data.manifest import read_manifest
from pipeline.errors import UserError, print_notice
from pipeline.ingest.arrival import Stamp
from pipeline.tracking.run_folder import RunFolder


class KnownFile(TypedDict):
    """A file in the folder of recordings.

    `used` is whether a finished training had it, `asked` whether a training was asked for since it is there.
    """

    size: int
    mtime_ns: int
    seconds: float
    reason: str
    used: bool
    asked: bool


class StateFile(TypedDict):
    """The content of `state.json`."""

    folder: str
    files: dict[str, KnownFile]
    runs: list[str]


@dataclass
class State:
    """What is known of a folder of recordings; `save` writes it.

    Attributes:
        path: the file of it.
        folder: the recordings.
        files: by path below the folder.
        runs: names of the finished trainings that are taken into account.
    """

    path: Path
    folder: Path
    files: dict[str, KnownFile] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path, folder: Path) -> "State":
        """Return the stored state; an empty one where there is none, it is damaged or of another folder."""
        state = cls(path, folder)
        if path.exists():
            try:
                found = read_json(path, "state of the ingest", StateFile)
            except UserError as problem:
                print_notice(f"{problem}; the recordings are looked through again")
                return state
            if found["folder"] == str(folder):
                state.files, state.runs = found["files"], found["runs"]
        return state

    def save(self) -> None:
        """Write the state atomically."""
        write_json(self.path, {"folder": str(self.folder), "files": self.files, "runs": self.runs})

    def knows(self, path: Path, stamp: Stamp) -> bool:
        """Return whether a file is known and unchanged."""
        known = self.files.get(self._name(path))
        return known is not None and (known["size"], known["mtime_ns"]) == (stamp.size, stamp.mtime_ns)

    def add(self, path: Path, stamp: Stamp, seconds: float, reason: str = "") -> None:
        """Add a file of the folder, or its new content."""
        self.files[self._name(path)] = {
            "size": stamp.size,
            "mtime_ns": stamp.mtime_ns,
            "seconds": seconds,
            "reason": reason,
            "used": False,
            "asked": False,
        }

    def forget_deleted(self) -> bool:
        """Remove the files that are not there any more; return whether there were any."""
        gone = [name for name in self.files if not (self.folder / name).exists()]
        for name in gone:
            del self.files[name]
        return bool(gone)

    @property
    def waiting_seconds(self) -> float:
        """Seconds of the recordings that no finished training has used."""
        return sum(each["seconds"] for each in self.files.values() if not each["used"])

    @property
    def not_asked_seconds(self) -> float:
        """Seconds of those among them for which no training was asked for."""
        return sum(each["seconds"] for each in self.files.values() if not each["used"] and not each["asked"])

    def ask(self) -> None:
        """Note that a training was asked for with all that is there now."""
        for each in self.files.values():
            each["asked"] = True

    def note_trainings(self, name: str) -> list[str]:
        """Mark what newly finished trainings have used; what they lack may be asked for again.

        Args:
            name: of the configuration whose trainings count.

        Returns:
            The names of these trainings.
        """
        found = []
        for file in sorted((data_dir() / "runs").glob("*/run.json")):
            run = RunFolder(file.parent)
            if run.path.name in self.runs:
                continue
            try:
                if run.status()["status"] != "finished" or run.config().name != name:
                    continue
                records = read_manifest(run.dataset.parent / "manifest.jsonl")
            except UserError:
                continue
            for record in records:
                path = record.part.file if record.part else record.path
                if not isinstance(path, Path):
                    continue
                if path.is_relative_to(self.folder) and (known := self.files.get(self._name(path))):
                    known["used"] = True
            found.append(run.path.name)
        self.runs += found
        if found:
            for each in self.files.values():
                each["asked"] = each["used"]
        return found

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()
