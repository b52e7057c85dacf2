"""The decision on a model of a name that has no champion: there is nothing to compare it with but the data.

A code is of use only if it is shorter than what it codes. So a first champion may need at most the bits in
which its rows are stored: 16 for a sample, one for each key of a time step, and for a frame as many as an
even distribution over the range of the training split. A training that diverged needs more. The settings of
the promotion do not apply, since they are about a difference of two models.
"""

import math
from collections.abc import Sequence

from pipeline.errors import UserError
from pipeline.promotion.compare import scores_of, usable_recordings
from pipeline.promotion.contender import Contender
from pipeline.promotion.decision import Decision, Scored, Verdict, bits_text, group_means
from pipeline.promotion.held_out import HeldOutSet
from pipeline.promotion.history import comparison_key
from pipeline.promotion.recording_bits import unit_of
from pipeline.registry.catalogue import validation_bits

RULE = 1
"""Raise it when the condition changes, so that models are decided on again."""


def decide_first(
    contender: Contender, contenders: Sequence[Contender], held_out: HeldOutSet, reason: str
) -> Decision:
    """Return the decision on a model that has no champion to beat.

    A model whose held-out recordings cannot be scored is judged by the validation figure of its training.

    Args:
        contender: the model.
        contenders: all models of the run; recordings that one of them was trained on are left out.
        held_out: the held-out recordings.
        reason: why there is no champion, such as `it is the first`.

    Raises:
        UserError: the model cannot be read.
    """
    model = contender.model
    unit, stored = unit_of(model), model.representation.stored_bits(model.normalisation)
    try:
        scored = scores_of(contender, usable_recordings(held_out, contenders))
    except UserError:  # no exact probability of samples, or no data
        scored = []
    if any(each.count for each in scored):
        return first(scored, unit, reason, stored)
    return first_by_validation(validation_bits(contender.folder), unit, reason, stored)


def first(scored: Sequence[Scored], unit: str, reason: str, stored: float) -> Decision:
    """Return the decision from the figures of held-out recordings.

    Args:
        scored: the figures, of one recording at least.
        unit: word for one predicted row.
        reason: why there is no champion.
        stored: bits of a stored row, the most that a champion may need.
    """
    names = sorted({each.group for each in scored if each.count})
    bits = float(group_means(scored, names).mean())
    minutes = sum(each.seconds for each in scored if each.count) / 60
    recordings = sum(each.count > 0 for each in scored)
    verdict, words = _verdict(bits, unit, reason, stored)
    why = f"{words} over {len(names)} held-out group(s), {minutes:.1f} min"
    known = bits if math.isfinite(bits) else None
    return Decision(verdict, why, unit, known, groups=len(names), recordings=recordings, minutes=minutes)


def first_by_validation(bits: float | None, unit: str, reason: str, stored: float) -> Decision:
    """Return the decision from the validation figure of the training, None where that is not known."""
    if bits is None:
        return Decision("first", reason, unit)
    verdict, words = _verdict(bits, unit, reason, stored)
    return Decision(verdict, f"{words}, by the density on the validation split", unit)


def first_key(challenger: str, held_out: str) -> str:
    """Return the key of the decision on a model without a champion, see `comparison_key`.

    Args:
        challenger: digest of the model's files.
        held_out: digest of the held-out recordings.
    """
    return comparison_key(challenger, "", held_out, {"first": RULE})


def _verdict(bits: float, unit: str, reason: str, stored: float) -> tuple[Verdict, str]:
    if not math.isfinite(bits):
        return "not-finite", "there is no champion, and this model's code length is not finite"
    if bits > stored:
        return "above-stored", (
            f"there is no champion, and this model needs {bits_text(bits)} bits per {unit}, more than the "
            f"{stored:.6g} in which the recordings are stored,"
        )
    return "first", f"{reason}: {bits_text(bits)} bits per {unit}"
