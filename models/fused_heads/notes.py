"""Independent notes in a block: their log-probabilities, and the gradients of their log odds."""

from models.compiled.simd import compiled
from models.fused_heads.blocks import ROWS, Array, fill
from models.fused_heads.functions import exp, log1p


@compiled
def notes(size: int, vectors: Array, outputs: Array, log_odds: Array) -> None:
    """Compute the log-probabilities of notes, and replace their log odds (D) by gradients.

    Args:
        size: D.
        vectors: zeros, the factor of each row's gradient, and room for the log-likelihoods.
        outputs: (2, D), the notes, 0 or 1, and their mask: 0 leaves a note out.
        log_odds: (D).
    """
    weight, log_prob = vectors[ROWS : 2 * ROWS], vectors[2 * ROWS :]
    value, mask = outputs[: size * ROWS], outputs[size * ROWS :]
    kind = log_odds.dtype.type
    zero, one = kind(0), kind(1)
    fill(log_prob, 0.0, ROWS)
    for n in range(size):
        own, y = log_odds[n * ROWS : (n + 1) * ROWS], value[n * ROWS : (n + 1) * ROWS]
        present = mask[n * ROWS : (n + 1) * ROWS]
        for r in range(ROWS):
            x = own[r]
            small = exp(-abs(x))
            probability = (one if x > zero else small) / (one + small)
            found = y[r] * x - (x if x > zero else zero) - log1p(small)
            counted = present[r] * weight[r]
            log_prob[r] += found if counted != zero else zero
            own[r] = (y[r] - probability) * counted if counted != zero else zero
