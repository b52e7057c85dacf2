"""Stabilisation of linear predictors: one by one in plain numbers, or all at once on tensors.

A predictor x_n = sum_p a_p x_(n-p) + e_n diverges where a pole of 1 / (1 - sum_p a_p z^-p) lies outside the
unit circle. On a GPU, a test for each predictor costs more than computing hundreds of them at once,
and a CUDA graph cannot branch at all. So `pull_inside` computes all of it for every predictor: Levinson's
recursion run backwards, on many contracted copies of it, finds how far it must be contracted. The compiled
form is `models.compiled.stability`.
"""

import numpy as np
import torch
from torch import Tensor

from models.distributions.constants import POLE_LIMIT

CANDIDATES = 256
ROUNDS = 2
"""Each narrows the contraction's logarithm to a 255th: for example from that of 8 to a part in 30,000."""


def stabilise(coefficients: Tensor) -> Tensor:
    """Return linear predictors whose output stays bounded, each the nearest to the one given.

    A stable predictor, with all poles inside the unit circle, is returned unchanged. The poles of another are
    moved inwards by one factor g, its coefficients times g^p (bandwidth expansion), so that the outermost
    lies at radius `POLE_LIMIT`.

    Args:
        coefficients: (..., P), that of the latest value first.

    Example:
        x_n = x_(n-1) / 2 decays and is kept; x_n = 2 x_(n-1) doubles and is contracted.

        >>> stabilise(torch.tensor([[0.5], [2.0]])).squeeze(-1)
        tensor([0.5000, 0.9900])
    """
    if coefficients.is_cuda:  # which answers for all of them sooner than for one whether it is stable
        return pull_inside(coefficients, POLE_LIMIT)
    rows = coefficients.reshape(-1, coefficients.shape[-1]).tolist()
    unstable = [index for index, row in enumerate(rows) if not is_stable(row)]
    if not unstable:
        return coefficients
    power = np.arange(1, coefficients.shape[-1] + 1)
    for index in unstable:
        radius = np.abs(np.roots([1.0, *(-x for x in rows[index])])).max()
        rows[index] = (np.array(rows[index]) * (POLE_LIMIT / radius) ** power).tolist()
    return coefficients.new_tensor(rows).reshape(coefficients.shape)


def is_stable(coefficients: list[float]) -> bool:
    """Return whether all poles of 1 / (1 - sum_p a_p z^-p) lie inside the unit circle.

    Levinson's recursion, run backwards, reduces the order of the predictor step by step. The last coefficient
    of each is a reflection coefficient, and all of them must be smaller than 1. Plain numbers are used: one
    predictor is the usual case, and hundreds of array operations would need ten times as long.

    Args:
        coefficients: P numbers, that of the latest value first.

    Example:
        >>> is_stable([1.9, -0.95]), is_stable([1.9, -1.01])
        (True, False)
    """
    row, unit = coefficients, 1.0
    while row:
        reflection = row[-1] / unit
        if not -1.0 < reflection < 1.0:
            return False
        row = [x + reflection * y for x, y in zip(row[:-1], row[-2::-1], strict=True)]
        unit *= 1.0 - reflection * reflection
    return True


def pull_inside(coefficients: Tensor, limit: float) -> Tensor:
    """Return linear predictors with no pole outside the unit circle.

    A predictor whose poles lie inside is returned unchanged. The poles of another are moved towards 0 along
    their radii until the outermost lies at ``limit``, or at a slightly smaller radius (see `ROUNDS`).

    Args:
        coefficients: (..., P), that of the latest value first.
        limit: radius of the outermost pole, below 1.
    """
    given = coefficients.double()
    power = torch.arange(1, given.shape[-1] + 1, device=given.device)
    # No pole lies outside this radius (Fujiwara 1916), and so none outside 1 after this contraction.
    bound = 2 * (given.abs() ** (1 / power)).amax(-1, keepdim=True)
    low, high = -bound.clamp(min=1).log(), torch.zeros_like(bound)
    grid = torch.linspace(0, 1, CANDIDATES, dtype=given.dtype, device=given.device)
    for _ in range(ROUNDS):
        contraction = low + (high - low) * grid  # as logarithms, (..., CANDIDATES)
        inside = poles_are_inside(given.unsqueeze(-2) * (contraction.unsqueeze(-1) * power).exp())
        last = (inside.sum(-1, keepdim=True) - 1).clamp(min=0)
        low = contraction.gather(-1, last)
        high = contraction.gather(-1, (last + 1).clamp(max=CANDIDATES - 1))
    contracted = given * (limit * low.exp()) ** power
    return torch.where(low < 0, contracted.to(coefficients.dtype), coefficients)


def poles_are_inside(coefficients: Tensor) -> Tensor:
    """Whether (...) all poles of linear predictors (..., P) lie inside the unit circle.

    As `is_stable`, on tensors: the recursion goes from order to
    order down, and all reflection coefficients on the way must be smaller than 1.
    """
    row = coefficients.movedim(-1, 0)
    unit, reflections = torch.ones_like(row[0]), []
    while len(row):
        reflection = row[-1] / unit
        reflections.append(reflection)
        unit = torch.addcmul(unit, reflection, row[-1], value=-1)
        row = torch.addcmul(row[:-1], reflection, row[:-1].flip(0))
    return (torch.stack(reflections).abs() < 1).all(0)
