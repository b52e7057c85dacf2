"""Probabilities of intervals without a choice that depends on values, as a GPU computes them."""

import pytest
import torch

from models.distributions import normal
from models.distributions.normal import NARROW, interval


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_ways_to_treat_wide_intervals_agree(dtype: torch.dtype) -> None:
    """Narrow and wide ones, near and far from the mean, and outermost ones with infinite bounds."""
    random = torch.Generator().manual_seed(0)
    mean = torch.randn(500, 4, 10, generator=random, dtype=dtype)
    scale = torch.exp(3 * torch.randn(500, 4, 10, generator=random, dtype=dtype) - 3)
    lower = torch.randn(500, 10, generator=random, dtype=torch.float64)
    upper = lower + 0.01
    lower[0], upper[1] = -torch.inf, torch.inf
    expected = interval(mean, scale, lower, upper)
    below, above = (normal._difference(bound.unsqueeze(-2), mean) for bound in (lower, upper))
    inverse = scale.reciprocal()
    widths = (upper - lower).unsqueeze(-2).to(dtype) * inverse
    is_wide = widths > NARROW[dtype]
    assert 0 < is_wide.sum() < is_wide.numel()
    narrow = type(expected)(*(part.masked_fill(is_wide, torch.nan) for part in expected))
    found = normal._replaced(narrow, is_wide, below, above, inverse, widths)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
