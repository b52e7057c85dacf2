"""The log-density of mixtures of Gaussians and its derivatives, in one kernel.

`models.distributions.mixture` computes the same in some twenty kernels, each of which reads and writes
a number for every component and output. Here a program computes all of one step in registers.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@triton.jit  # type: ignore[untyped-decorator]
def mixture_density(  # type: ignore[no-untyped-def]
    logits, mean, scale, value, mask, log_prob, by_logits, by_mean, by_scale,
    components, size, masked: tl.constexpr, half_log_2pi: tl.constexpr, negligible: tl.constexpr,
    most_components: tl.constexpr, most_outputs: tl.constexpr,
):  # fmt: skip
    """Compute one step. Its tables have sides that are powers of 2."""
    step = tl.program_id(0).to(tl.int64)
    k, d = tl.arange(0, most_components), tl.arange(0, most_outputs)
    is_component, is_output = k < components, d < size
    cell = (step * components + k[:, None]) * size + d[None, :]
    inside = is_component[:, None] & is_output[None, :]
    counts = is_output
    if masked:
        counts = counts & (tl.load(mask + step * size + d, mask=is_output, other=0) != 0)
    inverse = 1.0 / tl.load(scale + cell, mask=inside, other=1.0)
    target = tl.load(value + step * size + d, mask=is_output, other=0.0)
    z = (target[None, :] - tl.load(mean + cell, mask=inside, other=0.0)) * inverse
    of_output = tl.log(inverse) - half_log_2pi - 0.5 * z * z
    of_component = tl.sum(tl.where(counts[None, :], of_output, 0.0), 1)
    logit = tl.load(logits + step * components + k, mask=is_component, other=float("-inf"))
    weight = tl.exp(logit - tl.max(logit, 0))
    weight_sum = tl.sum(weight, 0)
    joint = tl.where(
        is_component, logit - tl.max(logit, 0) - tl.log(weight_sum) + of_component, float("-inf")
    )
    highest = tl.max(joint, 0)
    total = highest + tl.log(tl.sum(tl.exp(joint - highest), 0))
    posterior = tl.exp(joint - total)
    posterior = tl.where(posterior < negligible, 0.0, posterior)
    tl.store(log_prob + step, total)
    tl.store(by_logits + step * components + k, posterior - weight / weight_sum, mask=is_component)
    share = tl.where(counts[None, :], posterior[:, None], 0.0)
    tl.store(by_mean + cell, share * z * inverse, mask=inside)
    tl.store(by_scale + cell, share * (z * z - 1.0) * inverse, mask=inside)


def log_density_with_slopes(
    logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor, mask: Tensor | None, negligible: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the log-density of N mixtures, and its derivatives by all parameters.

    Args:
        logits: (N, K).
        mean, scale: (N, K, D).
        value: (N, D).
        mask: (N, D), outputs that are left out are false; None includes all.
        negligible: a smaller posterior weight counts as 0.

    Returns:
        The log-density (N,), and its derivatives by ``logits``, ``mean`` and ``scale``. All tensors are
        contiguous, and float32.
    """
    steps, components, size = mean.shape
    log_prob = logits.new_empty(steps)
    by_logits, by_mean, by_scale = (torch.empty_like(part) for part in (logits, mean, scale))
    mixture_density[(steps,)](
        logits, mean, scale, value, value if mask is None else mask, log_prob, by_logits,
        by_mean, by_scale, components, size, mask is not None, HALF_LOG_2PI, negligible,
        triton.next_power_of_2(components), triton.next_power_of_2(size),
    )  # fmt: skip
    return log_prob, by_logits, by_mean, by_scale
