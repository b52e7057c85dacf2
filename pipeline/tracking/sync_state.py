"""The parts of a run folder that are sent to the tracking server, and the note of those that were sent.

The note is `tracking.json`. Losing it does no harm: the run is found again by its tag, and a point that is
sent twice is the same row in MLflow's store.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from pipeline.common.files import read_json, write_json
from pipeline.errors import UserError, printable
from pipeline.tracking.pages.dataset_inputs import source_names
from pipeline.tracking.pages.metric_names import LAYOUT, baseline_figures, tracked_name
from pipeline.tracking.run_folder import RunFolder

NO_PARAMETERS = ("run", "tracking", "promotion", "tuning", "variants")
"""Sections of a configuration that do not change the run itself."""
FIRST_LAYOUT = 1
"""Scheme of names of the releases whose notes have no `layout`."""
MOST_NOTE_BYTES = 1 << 25
"""Longest note: some 100,000 artifacts."""
TEXT_LIMIT = 500
"""Most characters of a parameter or tag that every release of MLflow accepts."""


@dataclass
class SyncState:
    """The parts of a run that the server has received.

    Attributes:
        uri: the server, without password; another one is sent everything anew.
        run_id: the run on that server; empty before it was made.
        pending: something was to be sent and has not arrived in full.
        covered: bytes of the journal that were final at the last checkpoint.
        journal_bytes: journal bytes that have arrived.
        journal_digest: SHA-256 of those bytes; they can only change when the run was begun anew.
        tags, summary, status: as they arrived.
        artifacts: size and modification time, in ns, of the files that arrived.
        layout: the scheme of names that figures were sent under, see `pipeline.tracking.pages.metric_names`.
    """

    uri: str
    run_id: str = ""
    pending: bool = False
    covered: int = 0
    journal_bytes: int = 0
    journal_digest: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    status: str = ""
    artifacts: dict[str, list[int]] = field(default_factory=dict)
    layout: int = LAYOUT

    def renew(self) -> None:
        """Reset everything except the server and the pending state."""
        fresh = SyncState(self.uri, pending=self.pending, covered=self.covered)
        self.__dict__.update(fresh.__dict__)


class Compared(TypedDict):
    """The parts of `evaluation.json` that baselines are compared in."""

    model: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]


class SentNote(TypedDict, total=False):
    """The types of the fields in the note, as `SyncState` has them."""

    uri: str
    run_id: str
    pending: bool
    covered: int
    journal_bytes: int
    journal_digest: str
    tags: dict[str, str]
    summary: dict[str, float]
    status: str
    artifacts: dict[str, list[int]]
    layout: int


def load_sent(run: RunFolder, uri: str) -> SyncState:
    """Return the note on what a server has received of a run.

    Args:
        run: the run.
        uri: the server's address without passwords.

    Returns:
        The note. Without a readable note for this server, it states that nothing was sent. A note of
        another scheme of names keeps only the id of the run on the server.
    """
    try:
        sent = SyncState(**{"layout": FIRST_LAYOUT, **_read_note(run)})
    except (UserError, TypeError):
        return SyncState(uri)
    if sent.uri != uri:
        return SyncState(uri, covered=sent.covered)
    if sent.layout != LAYOUT:  # the same run on the server receives all figures under their present names
        return SyncState(uri, sent.run_id, sent.pending, sent.covered)
    return sent


def save_sent(run: RunFolder, sent: SyncState) -> None:
    """Write the note on what a server has received of a run, atomically.

    Args:
        run: the run.
        sent: the note.
    """
    write_json(_note(run), asdict(sent))


def has_pending(run: RunFolder) -> bool:
    """Return whether a part of the run is not sent yet.

    A training that has written curves was to be sent. Where it could not even write a note, as on a full
    disk, the note is missing.
    """
    if not _note(run).exists():
        return run.journal.exists()
    status = run.status()["status"]
    try:
        note = _read_note(run)
        return bool(note["pending"]) or (status != "running" and note["status"] != status)
    except (UserError, KeyError):
        return True


def parameters(description: dict[str, Any]) -> dict[str, str]:
    """Return the run's settings with dotted keys.

    The tracking server, which may have a password, is left out. Local inputs are named by their last part.
    """
    config = {key: x for key, x in description["config"].items() if key not in NO_PARAMETERS}
    if "inputs" in config.get("corpus", {}):
        config["corpus"] = {**config["corpus"], "inputs": source_names(config["corpus"]["inputs"])}
    facts = {"variant": description["variant"], "data_fingerprint": description["fingerprint"]}
    return {key: printable(value)[:TEXT_LIMIT] for key, value in _flat({**config, **facts})}


def tags(description: dict[str, Any], status: dict[str, Any]) -> dict[str, str]:
    """Return tags to filter runs by: variant, data set, device, reason of a failure.

    Args:
        description: the content of run.json.
        status: the content of status.json.

    Returns:
        Texts by tag name; long ones are shortened to MLflow's limit.
    """
    facts = {key: x for key, x in status.items() if key not in ("status", "summary")}
    facts |= {"variant": description["variant"], "data_fingerprint": description["fingerprint"]}
    return {f"wavecast.{key}": printable(value)[:TEXT_LIMIT] for key, value in _flat(facts)}


def numbers(run: RunFolder, status: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a run's end by their names in MLflow: those of its summary and of the baselines.

    Args:
        run: the run.
        status: the content of status.json.
    """
    summary = status.get("summary", {}).items()
    own = {key: x for key, x in summary if isinstance(x, int | float) and not isinstance(x, bool)}
    return {**_baselines(run), **{tracked_name(key): float(value) for key, value in own.items()}}


def _baselines(run: RunFolder) -> dict[str, float]:
    """Return the figures of the baselines in the run's evaluation; none before it is evaluated."""
    path = run.artifacts / "evaluation.json"
    if not path.exists():
        return {}
    try:
        return baseline_figures(read_json(path, "evaluation", Compared))
    except UserError:  # a damaged one is reported, and made again, by the evaluation
        return {}


def whole_lines(run: RunFolder, covered: int | None) -> bytes:
    """Return the journal without an incomplete last line, which is still being written.

    Args:
        run: the run.
        covered: bytes of the journal to read; None reads all.
    """
    data = run.journal_bytes()[:covered]
    return data[: data.rfind(b"\n") + 1]


def digest(data: bytes) -> str:
    """Return the SHA-256, by which a restarted journal is recognised."""
    return hashlib.sha256(data).hexdigest()


def new_files(run: RunFolder, sent: SyncState) -> Iterator[tuple[Path, str, list[int]]]:
    """Yield new or changed artifacts.

    Args:
        run: the run.
        sent: the note on what was sent before.

    Yields:
        The file, its path below `artifacts/`, and its stamp for the note: size in bytes, time in ns.
    """
    for path in sorted(run.artifacts.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(run.artifacts).as_posix()
            stamp = [path.stat().st_size, path.stat().st_mtime_ns]
            if sent.artifacts.get(name) != stamp:
                yield path, name, stamp


def _read_note(run: RunFolder) -> dict[str, Any]:
    note: dict[str, Any] = read_json(
        _note(run), "note on what was sent", SentNote, most_bytes=MOST_NOTE_BYTES
    )
    return note


def _note(run: RunFolder) -> Path:
    return run.path / "tracking.json"


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
