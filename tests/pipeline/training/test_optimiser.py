"""The optimisers' steps are those of their formulas."""

import torch

from pipeline.config.training import TrainConfig
from pipeline.training.optimiser import make_optimizer


def test_chung2014_rmsprop_is_the_formula_with_its_floor_and_momentum() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(20, 5, dtype=torch.float64) * torch.tensor([1e-4, 1e-2, 0.1, 1.0, 100.0])
    weight = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = make_optimizer([weight], TrainConfig(optimizer="chung2014-rmsprop", learning_rate=0.03))
    expected = [0.0] * 5
    square, velocity = [0.0] * 5, [0.0] * 5
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        for i, g in enumerate(gradient.tolist()):
            square[i] = 0.95 * square[i] + 0.05 * g * g
            velocity[i] = 0.9 * velocity[i] - 0.03 * g / max(square[i] ** 0.5, 0.01)
            expected[i] += velocity[i]
    torch.testing.assert_close(weight.detach(), torch.tensor(expected, dtype=torch.float64))
    # Where gradients are far below the floor, it is gradient descent with momentum.
    small = gradients[:, 0] / 0.01
    plain = sum(-0.03 * g * (1 - 0.9 ** (20 - t)) / 0.1 for t, g in enumerate(small.tolist()))
    assert abs(weight[0].item() - plain) < 1e-12
