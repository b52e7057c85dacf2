"""Making linear predictors stable: one by one in plain numbers, or all at once on tensors.

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


def stable(coefficients: Tensor) -> Tensor:
    """Linear predictors (..., P) whose output stays bounded, each the nearest to the one given.

    A stable predictor, all poles inside the unit circle, comes back unchanged. The poles of another are
    drawn inwards by one factor g, its coefficients times g^p (bandwidth expansion), so that the outermost
    lies at radius `POLE_LIMIT`.
    """
    if coefficients.is_cuda:  # which answers for all of them sooner than for one whether it is stable
        return pull_inside(coefficients, POLE_LIMIT)
    rows = coefficients.reshape(-1, coefficients.shape[-1]).tolist()
    wild = [index for index, row in enumerate(rows) if not is_stable(row)]
    if not wild:
        return coefficients
    power = np.arange(1, coefficients.shape[-1] + 1)
    for index in wild:
        radius = np.abs(np.roots([1.0, *(-x for x in rows[index])])).max()
        rows[index] = (np.array(rows[index]) * (POLE_LIMIT / radius) ** power).tolist()
    return coefficients.new_tensor(rows).reshape(coefficients.shape)


def is_stable(coefficients: list[float]) -> bool:
    """Whether all poles of 1 / (1 - sum_p a_p z^-p) lie inside the unit circle.

    Levinson's recursion run backwards takes the predictor to ever lower orders; the last coefficient of
    each is a reflection coefficient, and all of them must be smaller than 1. Plain numbers: a single
    predictor is the usual case, and hundreds of array operations would take ten times as long.
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
    """Linear predictors (..., P), that of the latest value first, with no pole outside the unit circle.

    One whose poles lie inside comes back as it is; the poles of another are moved towards 0 along their
    radii until the outermost lies at ``limit``, or a little further in (see `ROUNDS`).
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
