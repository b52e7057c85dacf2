"""Mixtures in a block: log-likelihoods from those of components, and the gradients of all that led there."""

from models.compiled.simd import compiled
from models.fused.products import copy
from models.fused_heads.blocks import ROWS, Array, fill
from models.fused_heads.functions import exp, log

_NEGLIGIBLE = 1e-20
"""A component with a smaller posterior weight gets no gradient, as in `models.distributions.mixture`."""


@compiled
def mix(components: int, weight: Array, logits: Array, joint: Array, log_prob: Array, room: Array) -> None:
    """Compute the log-likelihoods of a block of mixtures and their gradients by the components.

    Args:
        components: K.
        weight: factor of each row's gradient; rows with 0 have the log-likelihood 0, whatever they hold.
        logits: (K), replaced by the gradient with respect to them.
        joint: (K) log-likelihoods of the components, replaced by their posterior weights times ``weight``.
        log_prob: receives the log-likelihoods.
        room: room for work, (4).
    """
    kind = joint.dtype.type
    zero, one, negligible = kind(0), kind(1), kind(_NEGLIGIBLE)
    highest, total = room[:ROWS], room[ROWS : 2 * ROWS]
    highest_joint, total_joint = room[2 * ROWS : 3 * ROWS], room[3 * ROWS : 4 * ROWS]
    for k in range(components):
        own, logit = joint[k * ROWS : (k + 1) * ROWS], logits[k * ROWS : (k + 1) * ROWS]
        for r in range(ROWS):
            own[r] += logit[r]
    _exponentials(components, logits, highest, total)
    _exponentials(components, joint, highest_joint, total_joint)
    for r in range(ROWS):
        found = highest_joint[r] - highest[r] + log(total_joint[r]) - log(total[r])
        log_prob[r] = found if weight[r] != zero else zero
        total[r] = one / total[r]
        total_joint[r] = one / total_joint[r]
    for k in range(components):
        own, logit = joint[k * ROWS : (k + 1) * ROWS], logits[k * ROWS : (k + 1) * ROWS]
        for r in range(ROWS):
            posterior = own[r] * total_joint[r]
            posterior = zero if posterior < negligible else posterior
            exists = weight[r] != zero
            logit[r] = (posterior - logit[r] * total[r]) * weight[r] if exists else zero
            own[r] = posterior * weight[r] if exists else zero


@compiled
def _exponentials(components: int, numbers: Array, highest: Array, total: Array) -> None:
    """Replace numbers (K) of each row by exponentials of their distance to the highest, and sum them up."""
    copy(numbers, highest, ROWS)
    fill(total, 0.0, ROWS)
    for k in range(1, components):
        own = numbers[k * ROWS : (k + 1) * ROWS]
        for r in range(ROWS):
            highest[r] = own[r] if own[r] > highest[r] else highest[r]
    for k in range(components):
        own = numbers[k * ROWS : (k + 1) * ROWS]
        for r in range(ROWS):
            grown = exp(own[r] - highest[r])
            own[r] = grown
            total[r] += grown


@compiled
def weigh(components: int, size: int, joint: Array, slopes: Array) -> None:
    """Multiply slopes (K, D) by the weights ``joint`` (K) of their components."""
    zero = joint.dtype.type(0)
    for k in range(components):
        own = joint[k * ROWS : (k + 1) * ROWS]
        for n in range(size):
            at = (k * size + n) * ROWS
            slope = slopes[at : at + ROWS]
            for r in range(ROWS):
                slope[r] = slope[r] * own[r] if own[r] != zero else zero
