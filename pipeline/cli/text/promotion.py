"""Text output of choices of a champion, and of their history."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import one_line, print_line

if TYPE_CHECKING:
    from pipeline.promotion.by_hand import Chosen
    from pipeline.promotion.history import Event

ACTIONS = {
    "first": "became champion",
    "promoted": "became champion",
    "kept": "did not become champion",
    "pinned": "did not become champion",
    "by-hand": "made champion by hand",
    "rollback": "made champion again by hand",
    "unpinned": "pin lifted",
    "found": "found as champion",
}


def print_chosen(chosen: "Chosen") -> None:
    """Print the champion that was chosen by hand; what speaks against it goes to standard error."""
    decision = chosen.decision
    if decision is not None and not decision.promotes:
        would = (
            "made it the first champion"
            if chosen.before is None
            else f"replaced {chosen.name}/{chosen.before}"
        )
        warning = f"a run would not have {would}: {decision.why}"
        print(f"wavecast: warning: {one_line(warning)}", file=sys.stderr)
    elif decision is not None:
        print(one_line(decision.why))
    command = "wavecast models unpin" + (f" --name {chosen.name}" if chosen.name != "wavecast" else "")
    pinned = f", pinned until `{command}`" if chosen.pinned else ""
    print_line(f"{chosen.name}/{chosen.version} is the champion{pinned}")


def print_history(events: Sequence["Event"]) -> None:
    """Print events, the newest first: when, version, what happened, who, and the reason below."""
    if not events:
        print("no decision has been recorded yet")
    for event in events:
        print(f"{event.when}  version {event.version} {ACTIONS[event.action]}  ({one_line(event.who)})")
        print(f"    {one_line(event.why)}")


def print_promotion(promotion: dict[str, Any]) -> None:
    """Print the decision of a run; nothing where no model could be registered."""
    if promotion["version"] is None:
        return
    without = "no champion yet" if promotion.get("champion") is None else "champion unchanged"
    state = "champion now" if promotion["promoted"] else without
    name = promotion.get("name")
    version = f"{name}/{promotion['version']}" if name else f"version {promotion['version']}"
    print_line(f"{state}: {version} is the best of this run; {promotion['why']}")
