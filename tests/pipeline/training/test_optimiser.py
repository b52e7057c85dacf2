"""The optimisers' steps are those of their formulas."""

from itertools import chain

import pytest
import torch

from pipeline.config.training import TrainConfig
from pipeline.training.optimiser import clip_gradients, make_optimizer, step_all


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


def models_with_gradients() -> list[list[torch.nn.Parameter]]:
    torch.manual_seed(1)
    models = [[torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(5))] for _ in range(3)]
    for scale, model in zip((0.01, 1.0, 100.0), models, strict=True):
        for weight in model:
            weight.grad = scale * torch.randn_like(weight)
    models[1].append(torch.nn.Parameter(torch.randn(2)))  # without a gradient
    return models


def test_gradients_of_several_models_are_clipped_as_torch_clips_each() -> None:
    ours, theirs = models_with_gradients(), models_with_gradients()
    norms = clip_gradients(ours, (1.0, 2.0, 0.5))
    largest = (1.0, 2.0, 0.5)
    expected = [torch.nn.utils.clip_grad_norm_(own, most) for own, most in zip(theirs, largest, strict=True)]
    assert torch.equal(torch.stack(norms), torch.stack(expected))
    for found, right in zip(chain(*ours), chain(*theirs), strict=True):
        assert found.grad is None if right.grad is None else torch.equal(found.grad, right.grad)


@pytest.mark.parametrize("kind", ["adam", "adamw", "rmsprop", "chung2014-rmsprop"])
def test_several_optimisers_do_the_steps_of_each_alone(kind: str) -> None:
    config = TrainConfig(optimizer=kind, weight_decay=0.1 if kind != "chung2014-rmsprop" else 0)
    ours, theirs = models_with_gradients(), models_with_gradients()
    joined, alone = ([make_optimizer(own, config) for own in models] for models in (ours, theirs))
    for step in range(4):
        for n, (one, other) in enumerate(zip(joined, alone, strict=True)):
            one.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.1 / (n + step + 1)
        step_all(joined[: 2 if step == 2 else 3])  # the third model leaves out a step
        for optimizer in alone[: 2 if step == 2 else 3]:
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(chain(*ours), chain(*theirs), strict=True))
    for one, other in zip(joined, alone, strict=True):
        states = zip(one.state_dict()["state"].values(), other.state_dict()["state"].values(), strict=True)
        assert all(torch.equal(a[name], b[name]) for a, b in states for name in a)
