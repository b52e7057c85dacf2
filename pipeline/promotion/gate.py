"""The gate: after a run, its models are registered, and the best replaces the champion if it is shown better.

A comparison is decided once: while models, held-out recordings and settings are the same, later runs leave
the champion and the recorded reason as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.common.locks import announced_lock
from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.features.representations import representation_of
from pipeline.promotion.compare import compare, obstacles
from pipeline.promotion.contender import Contender, contender_of_run, contender_of_version
from pipeline.promotion.decision import Decision, best
from pipeline.promotion.first_champion import decide_first, first_key
from pipeline.promotion.held_out import HeldOutSet
from pipeline.promotion.history import Event, History, comparison_key, folder_lock
from pipeline.promotion.places import folder_of
from pipeline.promotion.record import note
from pipeline.promotion.renamed import present_name
from pipeline.registry.catalogue import RegisteredVersion, registered_versions
from pipeline.registry.champions import move_champion, pinned_version, version_with
from pipeline.registry.registration import register, set_alias
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri


@dataclass(frozen=True)
class _Gate:
    """The state of one registered model while its champion is decided; the caller holds the lock."""

    name: str
    config: RunConfig
    history: History

    @property
    def uri(self) -> str | None:
        return self.config.tracking.uri

    def held_out(self, contender: Contender) -> HeldOutSet:
        return HeldOutSet(folder_of(self.name, self.uri), contender.model.input)

    def key(self, challenger: str, champion: str, held_out: str) -> str:
        rule = self.config.promotion.model_dump(mode="json")
        return comparison_key(challenger, champion, held_out, rule)


def promote(runs: Sequence[RunFolder], config: RunConfig) -> dict[str, Any]:
    """Register the models of ``runs``; the best becomes champion if it passes the comparison with it.

    Models are compared on held-out recordings of the validation split, so that the test split stays unused.
    Every variant gets its own name as an alias, too.

    Args:
        runs: finished runs of one configuration.
        config: the configuration, with the settings of the promotion.

    Returns:
        `name` of the registered model, `run` and `version` of the best new model, `promoted`, `why` in words,
        `champion` (its version now), `verdict`, `pinned`, `new` (whether anything was decided now), `decided`
        (when) and `figures`.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    uri = config.tracking.uri
    name = present_name(config.registered_model, uri)
    contenders = []
    for run in runs:
        version = register(run, name)
        variant = run.description()["variant"]
        if variant in config.variants:
            set_alias(name, version, variant, uri)
        contenders.append(contender_of_run(run, version))
    with announced_lock(folder_lock(name, uri), f"the champion of {name} is being decided"):
        gate = _Gate(name, config, History(name, uri))
        held = version_with(registered_versions(store_uri(uri)), name)
        if held is None:
            return _result(gate, contenders, *_first(gate, contenders))
        note_found(gate.history, held)
        return _result(gate, contenders, *_against(gate, contenders, held))


def note_found(history: History, held: RegisteredVersion) -> None:
    """Record a champion that the history does not have: another program has moved the alias."""
    if history.champion_since(held.version) is None:
        known = history.path.exists()
        why = "the alias was moved by another program" if known else "it was the champion before this history"
        history.append("found", held.version, held.version, held.run_name, why)


def _first(gate: _Gate, contenders: Sequence[Contender]) -> tuple[Event, bool]:
    """Decide on the first champion; return the event, and whether it is new.

    The held-out recordings are frozen with the champion. Without one, nothing but the decision is kept.
    """
    held_out = gate.held_out(contenders[0])
    grown = held_out.grow(contenders[0], write=False)
    keys = {each.version: first_key(each.digest, held_out.digest) for each in contenders}
    settled = [gate.history.decision_on(key) for key in keys.values()]
    known = [event for event in settled if event is not None and event.champion is None]
    if len(known) == len(contenders):
        return max(known, key=lambda event: event.when), False
    reason = gate.history.why_no_champion()
    decisions = {each.version: decide_first(each, contenders, held_out, reason) for each in contenders}
    chosen = _best_first(contenders, decisions)
    winner = next(each for each in contenders if each.version == chosen)
    for version, decision in decisions.items():
        if not decision.promotes:
            note(gate.name, version, "kept", decision, None, gate.uri)
    found = decisions[chosen]
    others = {str(version): each.why for version, each in decisions.items() if version != chosen}
    figures = {**found.figures(), "others": others}
    if not found.promotes:
        settles = list(keys.values())
        return gate.history.append("kept", chosen, None, "", found.why, figures, settles), True
    if grown:
        held_out.write()
    note(gate.name, chosen, "first", found, None, gate.uri)
    move_champion(gate.name, chosen, gate.uri)
    losers = [each.digest for each in contenders if each is not winner]
    settles = [gate.key(loser, winner.digest, held_out.digest) for loser in losers]
    return gate.history.append("first", chosen, chosen, winner.run, found.why, figures, settles), True


def _best_first(contenders: Sequence[Contender], decisions: Mapping[int, Decision]) -> int:
    """Return the best version of those that may become the first champion, if there are any."""
    allowed = [each for each in contenders if decisions[each.version].promotes] or list(contenders)
    scored = {each.version: bits for each in allowed if (bits := decisions[each.version].bits) is not None}
    if scored:
        return min(scored, key=scored.__getitem__)
    return min(allowed, key=_validation_nats_per_value).version


def _against(
    gate: _Gate, contenders: Sequence[Contender], held: RegisteredVersion
) -> tuple[Event | None, bool]:
    """Compare what is new with the champion; return the event, and whether it is new.

    An event that is not new is the one that settled these comparisons; None where there is none.
    """
    challengers = [each for each in contenders if each.version != held.version]
    try:
        opponent = _opponent(gate, challengers, held)
    except UserError as problem:
        opponent = _Opponent(
            held, f"version {held.version}", why=f"the champion cannot be compared ({problem})"
        )
    pin = pinned_version(gate.name, gate.uri)
    keys = {each.version: gate.key(each.digest, opponent.digest, opponent.recordings) for each in challengers}
    settled = {version: _settled(gate.history, key, pin is not None) for version, key in keys.items()}
    fresh = [each for each in challengers if settled[each.version] is None]
    if not fresh:
        if len(challengers) < len(contenders):
            return gate.history.champion_since(held.version), False
        return max(filter(None, settled.values()), key=lambda event: event.when), False
    if opponent.contender is None or opponent.held_out is None:
        decisions = {each.version: Decision("incomparable", opponent.why) for each in fresh}
    else:
        decisions = compare(fresh, opponent.contender, opponent.held_out, gate.config.promotion)
    return _apply(gate, contenders, opponent, pin, decisions, keys), True


@dataclass(frozen=True)
class _Opponent:
    """The champion in a comparison, with the held-out recordings; without files there is only ``why``."""

    version: RegisteredVersion
    digest: str
    contender: Contender | None = None
    held_out: HeldOutSet | None = None
    why: str = ""

    @property
    def recordings(self) -> str:
        return self.held_out.digest if self.held_out else ""


def _opponent(gate: _Gate, challengers: Sequence[Contender], held: RegisteredVersion) -> _Opponent:
    """Return the champion and the recordings that decide: those that were held out from champions.

    Groups that only the challengers bring are left out, since they would speak for the models that were
    trained on others like them, be it noise. While the rest are too few to decide, they are needed.
    """
    champion = contender_of_version(held, gate.uri)
    held_out = gate.held_out(champion)
    held_out.grow(champion)
    if not held_out.suffices(gate.config.promotion, champion.model.row_rate_hz):
        kept_out = obstacles(challengers, champion)
        for each in challengers:
            if each.version not in kept_out:
                held_out.grow(each)
    return _Opponent(held, champion.digest, champion, held_out)


def _apply(
    gate: _Gate,
    contenders: Sequence[Contender],
    opponent: _Opponent,
    pin: str | None,
    decisions: dict[int, Decision],
    keys: dict[int, str],
) -> Event:
    """Move the alias if that was decided, and write the decision everywhere."""
    held, chosen = opponent.version, best(decisions)
    winner = next(each for each in contenders if each.version == chosen)
    decision = decisions[chosen]
    promoted = decision.promotes and pin is None
    for version, found in decisions.items():
        outcome = "promoted" if promoted and version == chosen else "pinned" if pin else "kept"
        note(gate.name, version, outcome, found, held.version, gate.uri)
    settled = [keys[version] + ("-pinned" if pin else "") for version in decisions]
    others = {str(version): found.why for version, found in decisions.items() if version != chosen}
    figures = {**decision.figures(), "against": held.version, "others": others}
    if not promoted:
        held_by = f"version {held.version} is pinned; without the pin: " if pin else ""
        action, why = ("pinned" if pin else "kept"), held_by + decision.why
        return gate.history.append(action, chosen, held.version, held.run_name, why, figures, settled)  # type: ignore[arg-type]
    move_champion(gate.name, chosen, gate.uri)
    if opponent.held_out is not None:
        opponent.held_out.grow(winner)
    losers = [opponent.digest, *(each.digest for each in contenders if each is not winner)]
    settled += [gate.key(loser, winner.digest, opponent.recordings) for loser in dict.fromkeys(losers)]
    return gate.history.append("promoted", chosen, chosen, winner.run, decision.why, figures, settled)


def _settled(history: History, key: str, pinned: bool) -> Event | None:
    found = history.decision_on(key)
    return found or (history.decision_on(f"{key}-pinned") if pinned else None)


def _result(gate: _Gate, contenders: Sequence[Contender], event: Event | None, new: bool) -> dict[str, Any]:
    by_version = {each.version: each for each in contenders}
    held = version_with(registered_versions(store_uri(gate.uri)), gate.name)
    champion = held.version if held else None
    of_event = event.version if event else None
    shown = of_event if of_event in by_version else champion if champion in by_version else None
    version = shown if shown is not None else contenders[0].version
    why = event.why if event else "it is the champion already"
    if event and not new:
        why = f"nothing is new since {event.when[:16]}: {why}"
    return {
        "name": gate.name,
        "run": str(by_version[version].folder.parent),
        "version": version,
        "promoted": bool(new and event and event.action in ("first", "promoted")),
        "why": why,
        "champion": champion,
        "verdict": event.figures.get("verdict", event.action) if event else "",
        "pinned": pinned_version(gate.name, gate.uri) is not None,
        "new": new,
        "decided": event.when if event else "",
        "figures": event.figures if event else {},
    }


def _validation_nats_per_value(contender: Contender) -> float:
    run = RunFolder(contender.folder.parent)
    config = run.config()
    nats_per_step: float = run.status()["summary"]["valid_nats_per_step"]
    return nats_per_step / representation_of(config.input).framing(config.model).target_size
