"""Choices by hand: promotion, rollback and pins. A pinned choice holds, whatever runs find, until `unpin`."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.common.locks import announced_lock
from pipeline.config.promotion import PromotionConfig
from pipeline.errors import UserError
from pipeline.promotion.compare import compare
from pipeline.promotion.contender import contender_of_version
from pipeline.promotion.decision import Decision
from pipeline.promotion.first_champion import decide_first
from pipeline.promotion.gate import note_found
from pipeline.promotion.held_out import HeldOutSet
from pipeline.promotion.history import Action, History, folder_lock
from pipeline.promotion.places import folder_of
from pipeline.promotion.record import note
from pipeline.registry.catalogue import RegisteredVersion, registered_versions
from pipeline.registry.champions import PREVIOUS, move_champion, pinned_version, set_pin, version_with
from pipeline.registry.references import no_such_name, not_registered
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import ModelReference, store_uri


@dataclass(frozen=True)
class Chosen:
    """What a choice by hand did.

    Attributes:
        name, version: the champion now.
        before: number of the champion before; None if there was none.
        decision: what a run would have decided, with its figures; None for the champion itself.
        pinned: whether the choice is pinned.
    """

    name: str
    version: int
    before: int | None
    decision: Decision | None
    pinned: bool


def promote_by_hand(name: str, version: int, pin: bool = True, uri: str | None = None) -> Chosen:
    """Make a version the champion, and compare it with the one before as a run would.

    Args:
        name: of the registered model.
        version: its number.
        pin: whether the choice holds until `unpin`; otherwise the next better model replaces it.
        uri: the store as configured; None the default one.

    Raises:
        UserError: there is no such version.
        TrackingUnavailable: the store cannot be used.
    """
    with announced_lock(folder_lock(name, uri), f"the champion of {name} is being decided"):
        versions = _versions(name, uri)
        found = next((each for each in versions if (each.name, each.version) == (name, version)), None)
        if found is None:
            raise not_registered(ModelReference.parse(f"models:/{name}/{version}"), versions)
        return _choose(found, "by-hand", pin, uri)


def rollback(name: str, pin: bool = True, uri: str | None = None) -> Chosen:
    """Make the previous champion the champion again; the present one becomes `previous`.

    Args:
        name: of the registered model.
        pin: whether the choice holds until `unpin`.
        uri: the store as configured; None the default one.

    Raises:
        UserError: there is no previous champion.
        TrackingUnavailable: the store cannot be used.
    """
    with announced_lock(folder_lock(name, uri), f"the champion of {name} is being decided"):
        found = version_with(_versions(name, uri), name, PREVIOUS)
        if found is None:
            raise UserError(f"{name}: there is no previous champion (no version has the alias {PREVIOUS})")
        return _choose(found, "rollback", pin, uri)


def unpin(name: str, uri: str | None = None) -> str | None:
    """Lift the pin of a registered model; return the number of the version that was pinned, None if none was.

    Raises:
        UserError: there is no registered model of this name.
        TrackingUnavailable: the store cannot be used.
    """
    with announced_lock(folder_lock(name, uri), f"the champion of {name} is being decided"):
        held = version_with(_versions(name, uri), name)
        pinned = pinned_version(name, uri)
        if pinned is not None:
            set_pin(name, None, uri)
            now, run = (held.version, held.run_name) if held else (None, "")
            why = "the pin was lifted: runs may replace the champion again"
            History(name, uri).append("unpinned", int(pinned), now, run, why)
        return pinned


def _versions(name: str, uri: str | None) -> list[RegisteredVersion]:
    versions = registered_versions(store_uri(uri))
    if not any(version.name == name for version in versions):
        raise no_such_name(name, list(dict.fromkeys(version.name for version in versions)))
    return versions


def _choose(found: RegisteredVersion, action: Action, pin: bool, uri: str | None) -> Chosen:
    name, history = found.name, History(found.name, uri)
    held = version_with(registered_versions(store_uri(uri)), name)
    if held is not None:
        note_found(history, held)
    decision = _comparison(found, held, history, uri)
    move_champion(name, found.version, uri)
    set_pin(name, found.version if pin else None, uri)
    how = "chosen by hand, and pinned" if pin else "chosen by hand"
    why = f"{how}; {decision.why}" if decision else how
    if decision is not None:
        note(name, found.version, action, decision, held.version if held else None, uri)
    figures = {**decision.figures(), "against": held.version if held else None} if decision else {}
    history.append(action, found.version, found.version, found.run_name, why, figures)
    return Chosen(name, found.version, held.version if held else None, decision, pin)


def _comparison(
    found: RegisteredVersion, held: RegisteredVersion | None, history: History, uri: str | None
) -> Decision | None:
    """Return what a run would decide on a version; a failure is a decision without figures."""
    try:
        challenger = contender_of_version(found, uri)
        if held is None:
            held_out = HeldOutSet(folder_of(found.name, uri), challenger.model.input)
            held_out.grow(challenger)
            return decide_first(challenger, [challenger], held_out, history.why_no_champion())
        if held.version == found.version:
            return None
        champion = contender_of_version(held, uri)
        held_out = HeldOutSet(folder_of(found.name, uri), champion.model.input)
        if not held_out.recordings:
            held_out.grow(champion)
        return compare([challenger], champion, held_out, _rule(found))[found.version]
    except UserError as problem:
        return Decision("incomparable", f"it cannot be compared ({problem})")


def _rule(found: RegisteredVersion) -> PromotionConfig:
    """Return the settings of the run that trained a version, the defaults where it is not here."""
    run: Path = data_dir() / "runs" / (found.run_name or "-")
    return RunFolder(run).config().promotion if (run / "run.json").is_file() else PromotionConfig()
