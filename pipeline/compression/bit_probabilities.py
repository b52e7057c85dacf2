"""Binary decision probabilities for coding one sample, from the head's mixture parameters.

A sample is found by a binary search over all integers, from the highest bit down. Each decision's probability
is that of the right half of the current interval, under the mixture given all previous samples. After each
sample the components' weights are multiplied by the probability that each assigned to it. Over a step, the
product of all decisions is therefore the joint probability of its samples, `Mixture.interval_log_prob`.

A decoder must compute exactly the encoder's numbers, possibly on another machine. So everything is computed
here, in float64, by sums, products and quotients in a fixed order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled.simd import compiled
from pipeline.compression.normal_tail import exponential, upper_tail

Floats = NDArray[np.float64]
Mixture = tuple[Floats, Floats, Floats, Floats]
"""The mixture of a step: the table of a search (9, K), whose first row are the weights, ``mean`` (K, D),
``inverse`` (K, D) and ``lower`` (K, D, D). The mean of output n given the previous ones is
mean_n + sum_{m<n} lower_nm x_m, its scale 1 / inverse_n."""

DIAGONAL, FULL, AUTOREGRESSIVE = 0, 1, 2

LEAST = 2.0**-24
"""Smallest probability of a decision, the coder's resolution."""

NOTHING = 1e-280
"""An interval whose total probability is less than this is treated as having two equally likely halves."""

# Rows of the table (9, K) with the state of a search. A bound b has two numbers for each component:
# Phi(b) - [b >= mean], which is accurate in both tails, and [b >= mean].
WEIGHT, MEAN, INVERSE, LOW, LOW_PAST, HIGH, HIGH_PAST, MIDDLE, MIDDLE_PAST = range(9)
ROWS = 9


@compiled
def read_mixture(
    raw: NDArray[np.float32],
    kind: int,
    floor: float,
    max_raw: float,
    predictor: tuple[Floats, Floats, Floats],
    mixture: Mixture,
) -> None:
    """Compute the mixture of one step from the head's projection (see `models.heads`).

    Args:
        raw: projection (P,).
        kind: `DIAGONAL`, `FULL` or `AUTOREGRESSIVE`.
        floor: smallest scale, which is added to all.
        max_raw: largest logarithm of a scale.
        predictor: an autoregressive head's start and basis, and the values before the step, oldest first.
        mixture: filled in.
    """
    table, mean, inverse, lower = mixture
    components, outputs = mean.shape
    scales = components + components * (1 if kind == AUTOREGRESSIVE else outputs)
    rest = scales + components * outputs
    top = raw[0]
    for k in range(components):
        top = max(top, raw[k])
    total = 0.0
    for k in range(components):
        table[WEIGHT, k] = exponential(np.float64(raw[k]) - top)
        total += table[WEIGHT, k]
    for k in range(components):
        table[WEIGHT, k] /= total
        for n in range(outputs):
            exponent = min(np.float64(raw[scales + k * outputs + n]), max_raw)
            inverse[k, n] = 1.0 / (exponential(exponent) + floor)
    if kind == AUTOREGRESSIVE:
        _predict(raw[components:], raw[rest:], predictor, mean, lower)
        return
    for k in range(components):
        for n in range(outputs):
            mean[k, n] = raw[components + k * outputs + n]
    if kind == FULL:
        _correlate(raw[rest:], mean, lower)


@compiled
def _correlate(packed: NDArray[np.float32], mean: Floats, lower: Floats) -> None:
    """Fill in a full covariance: mean_n + sum C_nm (x_m - mean_m), with the constant terms added up."""
    components, outputs = mean.shape
    place = 0
    for k in range(components):
        for n in range(outputs):
            for m in range(n):
                lower[k, n, m] = packed[place]
                place += 1
        for n in range(outputs - 1, -1, -1):  # downwards: the previous means are still the projected ones
            for m in range(n):
                mean[k, n] -= lower[k, n, m] * mean[k, m]


@compiled
def _predict(
    offset: NDArray[np.float32],
    change: NDArray[np.float32],
    predictor: tuple[Floats, Floats, Floats],
    mean: Floats,
    lower: Floats,
) -> None:
    """Fill in an autoregressive covariance: offset + sum_p a_p x_{n-p}, with the first terms from history."""
    start, basis, history = predictor
    components, outputs = mean.shape
    order = len(start)
    row = np.empty(order)
    for k in range(components):
        row[:] = start
        for j in range(order):
            weight = np.float64(change[k * order + j])
            for p in range(order):
                row[p] += weight * basis[j, p]
        for n in range(outputs):
            total = np.float64(offset[k])
            for p in range(n, order):  # x_{n-1-p} lies before the step
                total += row[p] * history[len(history) + n - 1 - p]
            mean[k, n] = total
            for m in range(n):
                lower[k, n, m] = row[n - 1 - m] if n - 1 - m < order else 0.0


@compiled
def _place(table: Floats, bound: float, row: int) -> None:
    """Compute the two numbers of ``bound`` for each component, in rows ``row`` and ``row`` + 1."""
    for k in range(table.shape[1]):
        z = (bound - table[MEAN, k]) * table[INVERSE, k]
        tail = upper_tail(abs(z))
        table[row, k] = -tail if z >= 0 else tail
        table[row + 1, k] = 1.0 if z >= 0 else 0.0


@compiled
def begin_sample(mixture: Mixture, kind: int, before: Floats, n: int) -> None:
    """Start the search for an output of a step among all integers.

    Args:
        mixture: the step's mixture; its table is changed.
        kind: covariance of the mixture.
        before: the step's outputs, (D,), of which the first ``n`` are known.
        n: index of the output.
    """
    table, mean, inverse, lower = mixture
    for k in range(table.shape[1]):
        total = mean[k, n]
        if kind != DIAGONAL:
            for m in range(n):
                total += lower[k, n, m] * before[m]
        table[MEAN, k] = total
        table[INVERSE, k] = inverse[k, n]
        table[LOW, k], table[LOW_PAST, k] = 0.0, 0.0
        table[HIGH, k], table[HIGH_PAST, k] = 0.0, 1.0


@compiled
def halves(table: Floats, bound: float) -> tuple[float, float]:
    """Return the probabilities of the parts of the current interval left and right of ``bound``."""
    _place(table, bound, MIDDLE)
    left = right = 0.0
    for k in range(table.shape[1]):
        of_left = (table[MIDDLE, k] - table[LOW, k]) + (table[MIDDLE_PAST, k] - table[LOW_PAST, k])
        of_right = (table[HIGH, k] - table[MIDDLE, k]) + (table[HIGH_PAST, k] - table[MIDDLE_PAST, k])
        left += table[WEIGHT, k] * max(of_left, 0.0)
        right += table[WEIGHT, k] * max(of_right, 0.0)
    return left, right


@compiled
def right_half(table: Floats, bound: float) -> float:
    """Return the probability that the sample lies right of ``bound``, given the current interval."""
    left, right = halves(table, bound)
    if not left + right > NOTHING:
        return 0.5
    return min(max(right / (left + right), LEAST), 1.0 - LEAST)


@compiled
def narrow(table: Floats, bit: int) -> None:
    """Reduce the interval to its right half where ``bit`` is 1, else to its left half."""
    to = LOW if bit else HIGH
    for k in range(table.shape[1]):
        table[to, k] = table[MIDDLE, k]
        table[to + 1, k] = table[MIDDLE_PAST, k]


@compiled
def next_right_half(table: Floats, bit: int, bound: float) -> float:
    """Call `narrow`, then `right_half`, as one compiled call."""
    narrow(table, bit)
    return right_half(table, bound)


@compiled
def end_sample(table: Floats, bit: int) -> float:
    """Call `narrow` with the last decision, then `found_sample`, as one compiled call."""
    narrow(table, bit)
    return found_sample(table)


@compiled
def found_sample(table: Floats) -> float:
    """Multiply the components' weights by the probability that each assigned to the sample's interval.

    The weights are kept where all these probabilities are zero.

    Args:
        table: table of the search, after its last decision.

    Returns:
        The probability of the sample, given those before it.
    """
    total = 0.0
    for k in range(table.shape[1]):
        found = (table[HIGH, k] - table[LOW, k]) + (table[HIGH_PAST, k] - table[LOW_PAST, k])
        table[MIDDLE, k] = table[WEIGHT, k] * max(found, 0.0)
        total += table[MIDDLE, k]
    if total > NOTHING:
        for k in range(table.shape[1]):
            table[WEIGHT, k] = table[MIDDLE, k] / total
    return total


@compiled
def step_decisions(
    mixture: Mixture,
    kind: int,
    outputs: Floats,
    places: NDArray[Any],
    bounds: Floats,
    probabilities: Floats,
    bits: NDArray[np.int32],
) -> None:
    """Compute all decisions on the known samples of a step, for an encoder.

    Args:
        mixture, kind: as `read_mixture` filled them in.
        outputs: (D,), the samples' normalised values.
        places: (n,) with n <= D, the samples' places among the 2^L integers, from 0.
        bounds: (2^L + 1,), the normalised bounds of the integers' intervals.
        probabilities, bits: (n, L), filled in with the probability of a 1 before each decision, and the
            decision.
    """
    table, levels = mixture[0], bits.shape[1]
    for n in range(len(places)):
        begin_sample(mixture, kind, outputs, n)
        low = 0
        for level in range(levels):
            half = 1 << (levels - 1 - level)
            probabilities[n, level] = right_half(table, bounds[low + half])
            bit = 1 if places[n] >= low + half else 0
            bits[n, level] = bit
            low += half * bit
            if level < levels - 1:
                narrow(table, bit)
        end_sample(table, bits[n, levels - 1])
