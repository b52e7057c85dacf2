"""The notes on a decision that a registered version carries: its description in Markdown, and its tags."""

import json
from datetime import datetime

from pipeline.promotion.decision import Decision, bits_text
from pipeline.registry.champions import note_decision
from pipeline.tracking.pages.run_page import plain

OUTCOMES = {
    "first": "became the champion",
    "promoted": "became the champion",
    "kept": "did not become the champion",
    "pinned": "did not become the champion, which is pinned",
    "by-hand": "was made the champion by hand",
    "rollback": "was made the champion again by hand",
}


def note(
    name: str, version: int, outcome: str, decision: Decision, champion: int | None, uri: str | None = None
) -> None:
    """Write a decision in the store, in the description and the tags of the version that it is about.

    Args:
        name: of the registered model.
        version: its number.
        outcome: a key of `OUTCOMES`.
        decision: with its figures.
        champion: number of the version that it was compared with.
        uri: the store as configured; None the default one.
    """
    tags = {
        "outcome": outcome,
        "verdict": decision.verdict,
        "why": decision.why,
        "champion": "" if champion is None else str(champion),
        "decided": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        "figures": json.dumps(decision.figures()),
    }
    note_decision(name, version, describe_decision(outcome, decision, champion), tags, uri)


def describe_decision(outcome: str, decision: Decision, champion: int | None) -> str:
    """Return the Markdown section on a decision, for the description of the version that it is about.

    Args:
        outcome: a key of `OUTCOMES`.
        decision: with its figures.
        champion: number of the version that it was compared with.
    """
    against = "" if champion is None else f" (compared with version {champion})"
    text = f"This version {OUTCOMES[outcome]}{against}: {plain(decision.why)}.\n"
    rows = [
        (f"bits per {decision.unit}", _figure(decision.bits)),
        ("of the champion then", _figure(decision.champion_bits)),
        ("gain", _figure(decision.gain)),
        ("95% interval of the gain", _interval(decision.interval)),
        ("p-value", "" if decision.p_value is None else f"{decision.p_value:.3g}"),
        ("held-out groups", str(decision.groups)),
        ("held-out recordings", str(decision.recordings)),
        ("held-out minutes", f"{decision.minutes:.1f}"),
        ("worst group", f"{plain(decision.worst_group)} ({_figure(decision.worst_gain)})"),
    ]
    if decision.bits is None:
        return text
    known = [(label, value) for label, value in rows if value and not value.startswith(" (")]
    table = "\n".join(f"| {label} | {value} |" for label, value in known)
    return f"{text}\n| figure | value |\n|---|---|\n{table}\n"


def _figure(value: float | None) -> str:
    return "" if value is None else bits_text(value)


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"
