"""Comparison of registered models on the held-out recordings; code lengths are kept from run to run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.common.files import read_json, write_json
from pipeline.config.promotion import PromotionConfig
from pipeline.errors import UserError
from pipeline.promotion.contender import Contender
from pipeline.promotion.decision import Decision, Scored, decide
from pipeline.promotion.held_out import HeldOut, HeldOutRows, HeldOutSet
from pipeline.promotion.places import scores_folder
from pipeline.promotion.recording_bits import VERSION, differences, recording_bits, unit_of


@dataclass(frozen=True)
class Compared:
    """Recordings that a comparison rests on.

    Attributes:
        recordings: those that no contender was trained on.
        rows: finds their rows.
        remark: words on those that had to be left out, empty if there are none.
    """

    recordings: list[HeldOut]
    rows: HeldOutRows
    remark: str


def compare(
    challengers: Sequence[Contender], champion: Contender, held_out: HeldOutSet, rule: PromotionConfig
) -> dict[int, Decision]:
    """Return the decision on each challenger, by its version.

    A challenger that cannot be scored like the champion gets a decision without figures.
    """
    decisions = obstacles(challengers, champion)
    comparable = [each for each in challengers if each.version not in decisions]
    if not comparable:
        return decisions
    scored: dict[int, list[Scored]] = {}
    try:
        compared = usable_recordings(held_out, [champion, *comparable])
        defended = scores_of(champion, compared)
    except UserError as problem:
        why = f"the champion cannot be compared ({problem})"
        return decisions | {each.version: Decision("incomparable", why) for each in comparable}
    for each in comparable:
        try:
            scored[each.version] = scores_of(each, compared)
        except UserError as problem:
            decisions[each.version] = Decision("incomparable", f"it cannot be compared: {problem}")
    found = decide(scored, defended, rule, unit_of(champion.model))
    return decisions | {version: _with_remark(each, compared.remark) for version, each in found.items()}


def obstacles(challengers: Sequence[Contender], champion: Contender) -> dict[int, Decision]:
    """Return the decision on each challenger that predicts other sequences or is of another corpus."""
    found = {each.version: _obstacle(each, champion) for each in challengers}
    return {version: decision for version, decision in found.items() if decision is not None}


def usable_recordings(held_out: HeldOutSet, contenders: Sequence[Contender]) -> Compared:
    """Return the held-out recordings that none of the contenders was trained on.

    Raises:
        UserError: the recordings that a contender was trained on are not known on this machine.
    """
    recordings = held_out.without(contenders)
    rows = HeldOutRows(contenders[0].model.input, [each.dataset for each in contenders])
    there = [each for each in recordings if rows.find(each) is not None]
    trained, gone = len(held_out.recordings) - len(recordings), len(recordings) - len(there)
    remarks = [
        f"{trained} held-out recordings are left out: a compared model was trained on them or on their groups"
        if trained
        else "",
        f"{gone} held-out recordings are gone from the prepared data" if gone else "",
    ]
    return Compared(there, rows, "; ".join(filter(None, remarks)))


def scores_of(contender: Contender, compared: Compared) -> list[Scored]:
    """Return the figures of recordings under a model; those that are kept are not computed again.

    Raises:
        UserError: the model cannot be loaded, or assigns no exact probability to samples.
    """
    path = scores_folder() / f"{contender.digest}.json"
    kept = read_json(path, "table of code lengths") if path.exists() else {}
    known = dict(kept["recordings"]) if kept.get("version") == VERSION else {}
    missing = [each for each in compared.recordings if each.rows_hash not in known]
    if missing:
        rows = [found for each in missing if (found := compared.rows.find(each)) is not None]
        bits = recording_bits(contender.model, rows)
        known |= {each.rows_hash: list(figures) for each, figures in zip(missing, bits, strict=True)}
        write_json(path, {"version": VERSION, "recordings": known})
    rate = contender.model.row_rate_hz
    return [
        Scored(each.group, each.rows / rate, float(known[each.rows_hash][0]), int(known[each.rows_hash][1]))
        for each in compared.recordings
    ]


def _obstacle(challenger: Contender, champion: Contender) -> Decision | None:
    """Return the decision on a challenger that predicts other sequences or was made of another corpus."""
    try:
        found = differences(challenger.model, champion.model)
        if found:
            why = f"it predicts other sequences than the champion ({', '.join(found)})"
            return Decision("incomparable", f"{why}; no figures of the two can be compared")
        ours = {name for record in challenger.manifest for name in (record.audio_hash, record.group)}
        theirs = {name for record in champion.manifest for name in (record.audio_hash, record.group)}
    except UserError as problem:
        return Decision("incomparable", f"it cannot be compared ({problem})")
    if ours & theirs:
        return None
    return Decision(
        "other-corpus",
        "it was made from another corpus: no recording and no group is common with the champion's; give its "
        "configuration another name, and so a champion of its own",
    )


def _with_remark(decision: Decision, remark: str) -> Decision:
    return replace(decision, why=f"{decision.why}; {remark}") if remark else decision
