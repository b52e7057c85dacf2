"""The kernels of heads, run by Triton's interpreter, against torch's operations in double precision."""

import pytest

from tests.helpers.networks.triton_programs import run_interpreted, run_on_a_gpu

PROGRAM = """
import copy, math, torch
from models.distributions.distribution import Steps
from models.distributions.notes import BernoulliHead
from models.gpu_kernels import operations
from models.gpu_kernels.heads import has_kernel, loss_of_head
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead, MixtureHead

operations.has_kernels = lambda _: True
B, T, H, K, D, ORDER, COUNT = 2, 2, 4, 5, 3, 6, 2.5

def head_of(kind):
    if kind is BernoulliHead:
        return kind(H, D)
    if kind is not AutoregressiveMixtureHead:
        return kind(H, D, K, 0.05)
    head = kind(H, D, K, 0.05, ORDER)
    head.start_at(0.3 * torch.randn(ORDER), 0.5, 0.1)
    return head

def steps_of(kind, masked, exact):
    targets = torch.randn(B, T, D)
    if kind is BernoulliHead:
        targets = (targets > 0).float()
    mask = torch.arange(D) < torch.tensor([[0, D], [1, D - 1]])[..., None] if masked else None
    width = 10.0 ** torch.randint(-4, 1, targets.shape)  # both sides of the border between two formulas
    lower, upper = targets.double() - width * torch.rand(B, T, D), targets.double() + width
    lower[0, 1, 0], upper[1, 1, 1] = -math.inf, math.inf
    return Steps(targets, mask, torch.randn(B, T, ORDER + 2), (lower, upper) if exact else None)

def reference(head, hidden, steps):
    head, hidden = copy.deepcopy(head).double(), hidden.detach().double().requires_grad_()
    distribution = head(hidden, steps.history.double())
    if steps.bounds is None:
        log_prob = distribution.log_prob(steps.targets.double(), steps.mask)
    else:
        log_prob = distribution.discrete_log_prob(steps.targets.double(), *steps.bounds, steps.mask)
    loss = -log_prob.sum() / COUNT
    return loss, *torch.autograd.grad(2 * loss, [hidden, *head.parameters()])

torch.manual_seed(0)
for kind in (GaussianMixtureHead, FullMixtureHead, AutoregressiveMixtureHead, BernoulliHead):
    for exact in (False, True) if issubclass(kind, MixtureHead) else (False,):
        for masked in (False, True):
            head, steps = head_of(kind), steps_of(kind, masked, exact)
            for name, weight in head.named_parameters():
                torch.nn.init.normal_(weight, std=0.5)
            if kind is GaussianMixtureHead:
                with torch.no_grad():
                    head.projection.bias[-1] = 8.0  # a scale beyond the largest one
            hidden = torch.randn(B, T, H, requires_grad=True)
            assert has_kernel(head, hidden.device)
            loss = loss_of_head(head, hidden, steps, torch.tensor(COUNT))
            found = loss, *torch.autograd.grad(2 * loss, [hidden, *head.parameters()])
            for one, other in zip(found, reference(head, hidden, steps)):
                near = 2e-5 * float(other.abs().max() + 1)
                torch.testing.assert_close(one.double(), other, rtol=2e-5, atol=near)
print("equal")
"""


def test_losses_and_gradients_equal_those_of_torch() -> None:
    """Densities and probabilities, whole and masked steps, scales at their limit, and infinite bounds."""
    run_interpreted(PROGRAM)


@pytest.mark.gpu
def test_losses_and_gradients_on_a_gpu_equal_those_of_torch() -> None:
    run_on_a_gpu('import torch\ntorch.set_default_device("cuda")\n' + PROGRAM)
