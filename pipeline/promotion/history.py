"""The history of a registered model's champion: an append-only file with a line of JSON for each event.

An event is a decision, a promotion or rollback by hand, a pin that is lifted, or an alias that was found to
have been moved by another program.
"""

import getpass
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.common.hashing import digest_json
from pipeline.promotion.places import folder_of

Action = Literal["first", "promoted", "kept", "pinned", "by-hand", "rollback", "unpinned", "found"]


@dataclass(frozen=True)
class Event:
    """One line of the history.

    Attributes:
        action: `first`, `promoted` and `kept` are decisions; `pinned` is a decision that a pin overruled;
            `found` is a champion that another program chose.
        version: the version that the event is about.
        champion: the champion's version after the event.
        run: name of the run that trained that champion.
        why: a sentence with the figures.
        when: date, time and offset from UTC.
        who: user and machine.
        figures: of the decision, see `pipeline.promotion.decision.Decision`.
        decided: keys of the comparisons that the event settles, see `comparison_key`.
    """

    action: Action
    version: int
    champion: int | None
    run: str
    why: str
    when: str
    who: str
    figures: dict[str, Any] = field(default_factory=dict)
    decided: tuple[str, ...] = ()


class History:
    """The events of one registered model, the oldest first."""

    def __init__(self, name: str, uri: str | None = None) -> None:
        self.path = folder_of(name, uri) / "history.jsonl"

    def events(self) -> list[Event]:
        """Return all events; a line that was cut short is left out."""
        if not self.path.exists():
            return []
        events = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                fields = json.loads(line)
                events.append(Event(**{**fields, "decided": tuple(fields.get("decided", ()))}))
            except (ValueError, TypeError):
                continue
        return events

    def append(
        self,
        action: Action,
        version: int,
        champion: int | None,
        run: str,
        why: str,
        figures: dict[str, Any] | None = None,
        decided: Sequence[str] = (),
    ) -> Event:
        """Add an event of this moment and user; it is on disk when this returns."""
        when = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        event = Event(action, version, champion, run, why, when, _who(), figures or {}, tuple(decided))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(event.__dict__) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return event

    def decision_on(self, key: str) -> Event | None:
        """Return the latest event that settled a comparison, None where it is open."""
        return next((event for event in reversed(self.events()) if key in event.decided), None)

    def why_no_champion(self) -> str:
        """Return in words why the next champion has none to beat."""
        had_one = any(event.champion is not None for event in self.events())
        return "there is no champion now" if had_one else "it is the first"

    def champion_since(self, version: int) -> Event | None:
        """Return the event that made this version the champion, None if it is not the last that did."""
        last: Event | None = None
        for event in self.events():
            if last is None or event.champion != last.champion:
                last = event
        return last if last is not None and last.champion == version else None


def comparison_key(challenger: str, champion: str, held_out: str, rule: dict[str, Any]) -> str:
    """Return a key of a comparison: while none of its parts changes, it is not decided again.

    Args:
        challenger: digest of the challenger's files.
        champion: digest of the champion's files.
        held_out: digest of the held-out recordings.
        rule: the settings of the promotion.
    """
    return digest_json([challenger, champion, held_out, rule])[:16]


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without an entry in the system's list
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def folder_lock(name: str, uri: str | None = None) -> Path:
    """Return the lock under which the champion of a registered model is changed."""
    folder = folder_of(name, uri)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ".lock"
