"""A training run on disk. The folder is the record; the tracking server receives a copy.

run.json         what is trained on what: configuration, data set, when it began
journal.jsonl    the curves: a line per logged step, {"step", "time_ms", "metrics", "checksum"}
status.json      running, finished, failed or pruned (a trial that a search has ended early), and the figures
last.pt, best.pt checkpoints; previous.pt is the last but one, until the training is finished
model/           the trained model: config.json, model.safetensors
start/           a copy of the model that the training started from; start.json says which, or why none
artifacts/       pictures, sounds, evaluation
end.request      there while a training of several in one process is to end after its epoch
tracking.json    what the tracking server has received (written by `pipeline.tracking.sync`)
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired

from pydantic import ValidationError
from typing_extensions import TypedDict

from pipeline.common.files import data_dir, parse_json, read_json, read_regular, with_checksum, write_json
from pipeline.common.hashing import digest_json
from pipeline.config.renamed import earlier_names
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, print_notice, print_notice_once

MOST_JOURNAL_BYTES = 1 << 30
"""Longest journal: some millions of lines."""
ADDED_SETTINGS: dict[str, dict[str, Any]] = {
    "train": {"start_from": None, "ema": 0.0, "transpose_semitones": 0},
    "model": {"output_dropout": 0.0},
}
"""Settings that earlier releases did not have, by section, with the values that change nothing."""


class RunDescription(TypedDict):
    """The content of run.json."""

    name: str
    variant: str
    created_ms: int
    dataset: str
    fingerprint: str
    config: dict[str, Any]


class RunStatus(TypedDict):
    """The required content of status.json, and the optional keys that have a shape."""

    status: str
    summary: NotRequired[dict[str, Any]]
    parameters: NotRequired[dict[str, int]]
    reason: NotRequired[str]


class JournalLine(TypedDict):
    """A line of the journal."""

    step: int
    time_ms: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run."""

    path: Path

    @property
    def journal(self) -> Path:
        """Return the path of the curves."""
        return self.path / "journal.jsonl"

    @property
    def last_checkpoint(self) -> Path:
        """Return the path of the checkpoint from which training resumes."""
        return self.path / "last.pt"

    @property
    def previous_checkpoint(self) -> Path:
        """Return the path of the checkpoint before the last, for a last one that is damaged."""
        return self.path / "previous.pt"

    @property
    def best_checkpoint(self) -> Path:
        """Return the path of the weights with the lowest validation loss."""
        return self.path / "best.pt"

    @property
    def model(self) -> Path:
        """Return the trained model's folder."""
        return self.path / "model"

    @property
    def start(self) -> Path:
        """Return the folder of the model that training starts from; without one, it starts anew."""
        return self.path / "start"

    @property
    def artifacts(self) -> Path:
        """Return the folder of plots, sounds and tables."""
        return self.path / "artifacts"

    def description(self) -> dict[str, Any]:
        """Return the content of run.json; raises `UserError` where it is missing or damaged."""
        advice = f"delete {self.path} to train again"
        return dict(read_json(self.path / "run.json", "training run", RunDescription, advice))

    def config(self) -> RunConfig:
        """Return the configuration that the run was started with; raises `UserError` for a damaged one."""
        try:
            return RunConfig.model_validate_json(json.dumps(self.description()["config"]))
        except (ValidationError, RecursionError) as problem:
            reason = " ".join(str(problem).split())[:120]
            raise UserError(
                f"{self.path / 'run.json'}: its settings are not those of this version of wavecast ({reason})"
            ) from None

    @property
    def dataset(self) -> Path:
        """Return the path of the `dataset.json` that the run is trained on, also after the home has moved."""
        named = Path(self.description()["dataset"])
        home = self.path.absolute().parents[1]
        if not named.is_absolute():
            return home / named
        moved = home / "prepared" / Path(*named.parts[-3:])
        return moved if moved.is_file() or not named.is_file() else named

    def status(self) -> dict[str, Any]:
        """Return the content of status.json; `{"status": "running"}` until it is written.

        A damaged one is reported and counts as missing: a training of the run writes it again.
        """
        path = self.path / "status.json"
        if not path.exists():
            return {"status": "running"}
        try:
            return dict(read_json(path, "status of a run", RunStatus, "the run is resumed to write it again"))
        except UserError as problem:
            print_notice_once(str(problem))  # a status is read again and again
            return {"status": "running"}

    def set_status(self, status: str, **summary: Any) -> None:
        """Write status.json.

        Args:
            status: `running`, `finished`, `failed` or `pruned`.
            **summary: figures and facts, added to those of earlier calls.
        """
        write_json(self.path / "status.json", {**self.status(), **summary, "status": status})

    @property
    def end_request(self) -> Path:
        """Return the path of a file that is there while the training is to end after its epoch."""
        return self.path / "end.request"

    def append(self, step: int, metrics: dict[str, float]) -> None:
        """Add a line to the journal, with the present time.

        Args:
            step: number of updates so far.
            metrics: figures by name.
        """
        line = {"step": step, "time_ms": int(time.time() * 1000), "metrics": metrics}
        with self.journal.open("a") as journal:
            journal.write(with_checksum(line) + "\n")

    def journal_bytes(self) -> bytes:
        """Return the content of the journal; raises `UserError` where it is no file of a usual size."""
        if not os.path.lexists(self.journal):
            return b""
        return read_regular(self.journal, "journal of a run", MOST_JOURNAL_BYTES)

    def journal_size(self) -> int:
        """Return the number of bytes in the journal, after they are written to disk."""
        if not self.journal.exists():
            return 0
        with self.journal.open("rb") as journal:
            os.fsync(journal.fileno())
        return self.journal.stat().st_size

    def truncate_journal(self, size: int) -> None:
        """Remove the lines that a killed run wrote after its last checkpoint.

        A journal that is shorter has lost lines. It is not lengthened, and the loss is reported.
        """
        if not os.path.lexists(self.journal):
            return
        data = self.journal_bytes()
        if len(data) < size:
            lost = f"{size - len(data):,} bytes of its curves are lost; the training itself is not affected"
            print_notice(f"{self.journal}: shorter than its checkpoint states: {lost}")
            size = data.rfind(b"\n") + 1
        os.truncate(self.journal, size)

    def lines(self) -> list[dict[str, Any]]:
        """Return all complete lines of the journal; damaged ones are left out and reported."""
        data = self.journal_bytes()
        end = data.rfind(b"\n") + 1
        lines, damaged = journal_lines(data[:end])
        # In a run that is being trained, a line without an end is one that is being written.
        if data[end:] and (b"\0" in data[end:] or self.status()["status"] == "finished"):
            damaged += 1
        if damaged:
            print_notice(f"{self.journal}: {damaged} of its lines are damaged and are left out of the curves")
        return lines


class ReadOnlyRun(RunFolder):
    """A run as processes see it that train it beside the one that writes; they write nothing."""

    def set_status(self, status: str, **summary: Any) -> None:
        """Write nothing."""

    def append(self, step: int, metrics: dict[str, float]) -> None:
        """Write nothing."""

    def truncate_journal(self, size: int) -> None:
        """Change nothing."""


def journal_lines(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the valid lines in these bytes of a journal, and the number of damaged ones."""
    lines, damaged = [], 0
    for text in data.split(b"\n"):
        if not text:
            continue
        try:
            lines.append(parse_json(text, JournalLine))
        except ValueError:
            damaged += 1
    return lines, damaged


def start_run(
    config: RunConfig, dataset: Path, fingerprint: str, variant: str = "", earlier: str = ""
) -> RunFolder:
    """Return the run of a training on a data set; a missing folder is created.

    The same training on the same data has the same folder. A training that is started again continues there.

    Args:
        config: the sections `input`, `model` and `train` identify the training.
        dataset: folder of the prepared data set.
        fingerprint: hash of the data set's content.
        variant: name of the variant; empty is the name of the configuration.
        earlier: name that an earlier release gave the variant; empty for the same.
    """
    settings = config.model_dump(mode="json", include={"input", "model", "train"})
    for section, added in ADDED_SETTINGS.items():
        for name, default in added.items():
            if settings[section][name] == default:  # folders of releases without the setting keep their names
                del settings[section][name]
    earlier_settings = {section: earlier_names(section, values) for section, values in settings.items()}
    labels = [f"{config.name}-{each}" if each else config.name for each in (variant, earlier or variant)]
    folders = [
        RunFolder(data_dir() / "runs" / f"{label}-{digest_json([named, fingerprint])[:10]}")
        for label in labels
        for named in (settings, earlier_settings)
    ]
    for begun in folders:  # the others by a release that named settings or the variant otherwise
        if (begun.path / "run.json").exists():
            return begun
    folder = folders[0]
    folder.path.mkdir(parents=True, exist_ok=True)
    write_json(
        folder.path / "run.json",
        {
            "name": folder.path.name,
            "variant": variant or config.name,
            "created_ms": int(time.time() * 1000),
            "dataset": _within_home(dataset),
            "fingerprint": fingerprint,
            "config": config.model_dump(mode="json"),
        },
    )
    return folder


def _within_home(path: Path) -> str:
    """Return ``path`` relative to the data folder if it is in it, so that the folder can be moved."""
    home = data_dir()
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
