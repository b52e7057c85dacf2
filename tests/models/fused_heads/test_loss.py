"""The compiled pass of heads against torch's operations in double precision; the same bits on any threads."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from models.distributions.distribution import Steps
from models.distributions.mixture import Mixture
from models.distributions.notes import BernoulliHead
from models.fused_heads.choice import read_head
from models.fused_heads.loss import Scored, log_likelihood_sum, log_likelihood_sums
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead, MixtureHead

B, T, H, D, ORDER = 3, 75, 19, 5, 7
"""More rows than two blocks, and not a whole number of them."""

MIXTURES = ("diagonal", "full", "autoregressive")
every_mixture = pytest.mark.parametrize("kind", MIXTURES)
every_head = pytest.mark.parametrize("kind", [*MIXTURES, "notes"])
FACTOR = -0.01


def head_of(kind: str, precision: torch.dtype = torch.float32) -> nn.Module:
    """A head with wide weights."""
    torch.manual_seed(1)
    head: nn.Module
    if kind == "notes":
        head = BernoulliHead(H, D)
    elif kind == "autoregressive":
        head = AutoregressiveMixtureHead(H, D, 4, 0.01, ORDER)
        head.start_at(0.3 * torch.randn(ORDER), 0.5, 0.1)
    else:
        head = {"diagonal": GaussianMixtureHead, "full": FullMixtureHead}[kind](H, D, 4, 0.01)
    for name, weight in head.named_parameters():
        nn.init.normal_(weight, std=0.3 if name.endswith("weight") else 0.5)
    return head.to(precision)


def steps_of(
    kind: str, discrete: bool = False, precision: torch.dtype = torch.float32
) -> tuple[Tensor, Steps]:
    """Hidden vectors as torch's layers lay them out, and targets of which some are masked."""
    torch.manual_seed(2)
    hidden = (0.7 * torch.randn(T, B, H, dtype=precision)).transpose(0, 1).requires_grad_()
    targets = torch.randn(B, T, D, dtype=precision)
    targets = (targets > 0.5).to(precision) if kind == "notes" else targets
    mask = torch.ones(B, T, D, dtype=torch.bool)
    mask[1, 30:] = False
    mask[2, 11, 2:] = False
    targets = targets.masked_fill(~mask, 0.0)
    wide = 10.0 ** torch.randint(-4, 1, (B, T, D)).double()
    bounds = (targets.double() - wide * torch.rand(B, T, D), targets.double() + wide) if discrete else None
    history = torch.randn(B, T, ORDER + 2, dtype=precision)
    return hidden, Steps(targets, mask, history, bounds)


def compiled(head: nn.Module, hidden: Tensor, steps: Steps) -> list[Tensor]:
    """The loss, and its gradients."""
    loss = log_likelihood_sum(read_head(head), hidden, steps, FACTOR)
    return [loss.detach(), *torch.autograd.grad(loss, [hidden, *head.parameters()])]


def reference(
    head: nn.Module, hidden: Tensor, steps: Steps, precision: torch.dtype = torch.float64
) -> list[Tensor]:
    """The same by torch's operations."""
    exact = copy.deepcopy(head).to(precision)
    inputs = hidden.detach().to(precision).requires_grad_()
    distribution = exact(inputs, steps.history.to(precision))
    targets = steps.targets.to(precision)
    if steps.bounds is None:
        log_prob = distribution.log_prob(targets, steps.mask)
    else:
        assert isinstance(distribution, Mixture)
        log_prob = distribution.discrete_log_prob(targets, *steps.bounds, steps.mask)
    loss = FACTOR * log_prob.sum()
    return [loss.detach(), *torch.autograd.grad(loss, [inputs, *exact.parameters()])]


def largest_errors(found: list[Tensor], expected: list[Tensor]) -> list[float]:
    return [float((one - other).abs().max()) for one, other in zip(found, expected, strict=True)]


def assert_equal(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(
            one.double(), other, rtol=0, atol=tolerance * float(other.abs().max()), check_layout=False
        )


@every_head
def test_loss_and_gradients_are_torchs(kind: str) -> None:
    head, (hidden, steps) = head_of(kind), steps_of(kind)
    assert_equal(compiled(head, hidden, steps), reference(head, hidden, steps), 1e-5)


@pytest.mark.thinned(9)
@every_mixture
def test_the_probability_of_intervals_and_its_gradients_are_torchs(kind: str) -> None:
    head, (hidden, steps) = head_of(kind), steps_of(kind, discrete=True)
    assert steps.bounds is not None
    steps.bounds[0][0, 3] = -math.inf
    steps.bounds[1][0, 5] = math.inf
    assert_equal(compiled(head, hidden, steps), reference(head, hidden, steps), 1e-5)


@pytest.mark.slow
@every_head
def test_in_double_precision_they_are_torchs_to_ten_digits(kind: str) -> None:
    head, (hidden, steps) = head_of(kind, torch.float64), steps_of(kind, precision=torch.float64)
    assert_equal(compiled(head, hidden, steps), reference(head, hidden, steps), 1e-10)


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("raw", [-60.0, -4.0, 6.9, 9.0])
def test_extreme_scales_and_far_targets_have_gradients_as_exact_as_torchs(raw: float, discrete: bool) -> None:
    """At the floor, and above the largest scale, where the gradient of a scale is 0.

    There, single precision leaves few digits to torch's operations, too.
    """
    head = head_of("diagonal")
    assert isinstance(head, MixtureHead)
    with torch.no_grad():
        head.projection.bias.split(head.sizes)[2].fill_(raw)
        head.projection.weight.split(head.sizes)[2].mul_(0.01)
    hidden, steps = steps_of("diagonal", discrete)
    far = steps.targets.clone()
    far[0] *= 30
    bounds = None if steps.bounds is None else tuple(each + (far - steps.targets) for each in steps.bounds)
    steps = steps._replace(targets=far, bounds=bounds)
    found, exact = compiled(head, hidden, steps), reference(head, hidden, steps, torch.float64)
    ours, torchs = (
        largest_errors(each, exact) for each in (found, reference(head, hidden, steps, torch.float32))
    )
    for our, other, size in zip(ours, torchs, exact, strict=True):
        assert our <= 2 * other + 1e-6 * float(size.abs().max())


@every_head
def test_masked_steps_have_no_gradient_and_no_influence(kind: str) -> None:
    head, (hidden, steps) = head_of(kind), steps_of(kind)
    assert steps.mask is not None
    found = compiled(head, hidden, steps)
    assert found[1][1, 30:].count_nonzero() == 0
    other = hidden.detach().clone()
    other[1, 30:] = 1e6
    again = compiled(head, other.requires_grad_(), steps)
    assert all(torch.equal(one, two) for one, two in zip(found, again, strict=True))


@every_head
def test_the_number_of_threads_changes_no_bit(kind: str) -> None:
    head, (hidden, steps) = head_of(kind), steps_of(kind)
    many = hidden.detach().repeat(5, 1, 1).requires_grad_()
    more = Steps(*(None if each is None else each.repeat(5, 1, 1) for each in steps[:3]), None)
    with threads(1):
        one = [compiled(head, many, more) for _ in range(2)]
    with threads(2):
        two = compiled(head, many, more)
    assert all(torch.equal(*both) for both in zip(one[0], one[1], strict=True))
    assert all(torch.equal(*both) for both in zip(one[0], two, strict=True))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_a_graph_keeps_its_gradients_while_another_is_computed() -> None:
    head, (hidden, steps) = head_of("diagonal"), steps_of("diagonal")
    expected = compiled(head, hidden, steps)[1]
    first = log_likelihood_sum(read_head(head), hidden, steps, FACTOR)
    second = log_likelihood_sum(read_head(head), hidden, steps._replace(targets=steps.targets + 1), FACTOR)
    second.backward()
    hidden.grad = None
    (3 * first).backward()
    assert hidden.grad is not None
    torch.testing.assert_close(hidden.grad, 3 * expected)


def test_several_heads_in_one_pass_have_the_bits_of_each_alone() -> None:
    pairs = [(head_of(kind), *steps_of(kind)) for kind in ("diagonal", "autoregressive", "notes")]
    alone = [compiled(*pair) for pair in pairs]
    losses = log_likelihood_sums(
        [Scored(read_head(head), hidden, steps, FACTOR) for head, hidden, steps in pairs]
    )
    weights = [[hidden, *head.parameters()] for head, hidden, _ in pairs]
    found = iter(torch.autograd.grad(losses, [each for own in weights for each in own]))
    for loss, own, expected in zip(losses, weights, alone, strict=True):
        ours = [loss.detach(), *(next(found) for _ in own)]
        assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
