"""The loss of heads that give mixtures of Gaussians, and its derivatives by what they project: one kernel.

`models.heads` and `models.distributions` compute the same in some forty kernels, each of which reads and
writes a number for every component and output. Here a program computes all of one step in registers.
"""

import triton
import triton.language as tl

from models.distributions.constants import MAX_RAW_SCALE
from models.distributions.mixture import NEGLIGIBLE
from models.gpu_kernels.normal import density, interval

DIAGONAL, FULL, AUTOREGRESSIVE = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
_MAX_RAW_SCALE, _NEGLIGIBLE = tl.constexpr(MAX_RAW_SCALE), tl.constexpr(NEGLIGIBLE)


@triton.jit  # type: ignore[untyped-decorator]
def mixture_loss(  # type: ignore[no-untyped-def]
    projected, targets, mask, lower, upper, history, start, basis, count, loss, slopes,
    history_width, floor,
    components: tl.constexpr, size: tl.constexpr, order: tl.constexpr, row: tl.constexpr,
    covariance: tl.constexpr, masked: tl.constexpr, exact: tl.constexpr,
    most_components: tl.constexpr, most_outputs: tl.constexpr, most_order: tl.constexpr,
):  # fmt: skip
    """Compute one step. Its tables have sides that are powers of 2.

    Args:
        projected: (N, row), in this order: log weights (K), means (K, D) or offsets (K), raw scales (K, D),
            and the parameters of the covariance (K, ...).
        targets: (N, D).
        mask: (N, D) bytes, 0 where an output is left out; read if ``masked``.
        lower, upper: (N, D) in double precision; read if ``exact``.
        history: (N, history_width), whose last ``order`` values precede the outputs.
        start, basis: (order,) and (order, order), see `models.heads.AutoregressiveMixtureHead`.
        count: one number, the steps that the loss is divided by.
        loss: (N,), is written: each step's part of the loss.
        slopes: (N, row), is written: the derivatives of the loss.
        history_width: see ``history``.
        floor: smallest scale.
        components, size, order: K, D and P.
        row: numbers that are projected for a step.
        covariance: `DIAGONAL`, `FULL` or `AUTOREGRESSIVE`.
        masked, exact: whether outputs are left out, and whether probabilities count instead of densities.
        most_components, most_outputs, most_order: sides of the tables.
    """
    step = tl.program_id(0).to(tl.int64)
    given, derived = projected + step * row, slopes + step * row
    k, d = tl.arange(0, most_components), tl.arange(0, most_outputs)
    is_component, is_output = k < components, d < size
    inside = is_component[:, None] & is_output[None, :]
    cell = k[:, None] * size + d[None, :]
    location: tl.constexpr = components
    scales: tl.constexpr = location + (components if covariance == AUTOREGRESSIVE else components * size)
    others: tl.constexpr = scales + components * size

    target = tl.load(targets + step * size + d, mask=is_output, other=0.0)
    counts = is_output
    if masked:
        counts = counts & (tl.load(mask + step * size + d, mask=is_output, other=0) != 0)

    if covariance == AUTOREGRESSIVE:
        p = tl.arange(0, most_order)
        features, predicted = _features(
            targets + step * size, history + step * history_width + history_width - order, start, basis,
            p, d, size, order,
        )  # fmt: skip
        weight_cell = others + k[:, None] * order + p[None, :]
        is_weight = is_component[:, None] & (p[None, :] < order)
        change = tl.load(given + weight_cell, mask=is_weight, other=0.0)
        offset = tl.load(given + location + k, mask=is_component, other=0.0)
        mean = offset[:, None] + predicted[None, :] + tl.dot(change, features, input_precision="ieee")
    else:
        mean = tl.load(given + location + cell, mask=inside, other=0.0)
        if covariance == FULL:
            for m in range(size - 1):
                deviation, triangle, after = _of_earlier_output(
                    m, targets + step * size, given + location, others, k, d, components, size
                )
                mean += tl.load(given + triangle, mask=after, other=0.0) * deviation[:, None]

    raw = tl.load(given + scales + cell, mask=inside, other=0.0)
    growth = tl.exp(tl.where(raw > _MAX_RAW_SCALE, _MAX_RAW_SCALE, raw))
    inverse = 1.0 / (growth + floor)
    if exact:
        low = tl.load(lower + step * size + d, mask=is_output, other=0.0)
        high = tl.load(upper + step * size + d, mask=is_output, other=1.0)
        of_output, by_mean, by_scale = interval(mean, inverse, low[None, :], high[None, :])
    else:
        of_output, by_mean, by_scale = density(mean, inverse, target[None, :])

    logit = tl.load(given + k, mask=is_component, other=float("-inf"))
    of_component = tl.sum(tl.where(counts[None, :], of_output, 0.0), 1)
    total, posterior, weight = _mix(logit, of_component, is_component)
    factor = -1.0 / tl.load(count)
    tl.store(loss + step, factor * total)
    tl.store(derived + k, factor * (posterior - weight), mask=is_component)
    share, counted = factor * posterior[:, None], inside & counts[None, :]
    of_mean = tl.where(counted, share * by_mean, 0.0)
    of_raw = tl.where(counted & (raw <= _MAX_RAW_SCALE), share * by_scale * growth, 0.0)
    tl.store(derived + scales + cell, of_raw, mask=inside)
    if covariance == AUTOREGRESSIVE:
        tl.store(derived + location + k, tl.sum(of_mean, 1), mask=is_component)
        of_change = tl.dot(of_mean, tl.trans(features), input_precision="ieee")
        tl.store(derived + weight_cell, of_change, mask=is_weight)
    elif covariance == FULL:
        for m in range(size):
            deviation, triangle, after = _of_earlier_output(
                m, targets + step * size, given + location, others, k, d, components, size
            )
            through = tl.load(given + triangle, mask=after, other=0.0) * of_mean
            own = tl.sum(tl.where(d[None, :] == m, of_mean, -through), 1)
            tl.store(derived + location + k * size + m, own, mask=is_component)
            tl.store(derived + triangle, of_mean * deviation[:, None], mask=after)
    else:
        tl.store(derived + location + cell, of_mean, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _mix(logit, of_component, is_component):  # type: ignore[no-untyped-def]
    """Return the logarithm of a mixture's density, and the weights of components after and before it (K,)."""
    highest_logit = tl.max(logit, 0)
    weight = tl.exp(logit - highest_logit)
    weight_sum = tl.sum(weight, 0)
    joint = logit - highest_logit - tl.log(weight_sum) + of_component
    joint = tl.where(is_component, joint, float("-inf"))
    highest = tl.max(joint, 0)
    total = highest + tl.log(tl.sum(tl.exp(joint - highest), 0))
    posterior = tl.exp(joint - total)
    return total, tl.where(posterior < _NEGLIGIBLE, 0.0, posterior), weight / weight_sum


@triton.jit  # type: ignore[untyped-decorator]
def _of_earlier_output(  # type: ignore[no-untyped-def]
    m, targets, means, others, k, d, components: tl.constexpr, size: tl.constexpr
):  # fmt: skip
    """Return deviations of output m (K,), the places of what outputs d > m take from it, and where d > m."""
    deviation = tl.load(targets + m) - tl.load(means + k * size + m, mask=k < components, other=0.0)
    triangle = others + k[:, None] * (size * (size - 1) // 2) + (d * (d - 1) // 2 + m)[None, :]
    after = (k < components)[:, None] & ((d > m) & (d < size))[None, :]
    return deviation, triangle, after


@triton.jit  # type: ignore[untyped-decorator]
def _features(  # type: ignore[no-untyped-def]
    targets, history, start, basis, p, d, size: tl.constexpr, order: tl.constexpr
):  # fmt: skip
    """Return what the weights (K, P) of a step multiply, (P, D), and what the first predictor gives, (D,)."""
    # The value p + 1 before output d; before the first output come those of the history.
    place = order + d[None, :] - 1 - p[:, None]
    is_pair = (p[:, None] < order) & (d[None, :] < size)
    before = tl.load(history + place, mask=is_pair & (place < order), other=0.0)
    before += tl.load(targets + place - order, mask=is_pair & (place >= order), other=0.0)
    coefficient = tl.load(start + p, mask=p < order, other=0.0)
    is_basis = (p[:, None] < order) & (p[None, :] < order)
    table = tl.load(basis + p[:, None] * order + p[None, :], mask=is_basis, other=0.0)
    return tl.dot(table, before, input_precision="ieee"), tl.sum(coefficient[:, None] * before, 0)
