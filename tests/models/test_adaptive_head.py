"""The head in torch gives the mixture that the compiled experts code with."""

import numpy as np
import pytest
import torch

from models.adaptive import guided
from models.adaptive.guided import CHANGES, EXPERTS, new_guided
from models.adaptive.step_features import StepFeatures
from models.adaptive_head import AdaptiveHead
from models.distributions.experts import ExpertMixture
from tests.helpers.builders import Samples, noise, tone

HOP, WINDOW, HIDDEN = 7, 12, 5
STEP = 2e-4
SOUNDS = {
    "tone": tone(1_400) // 4 + noise(1_400, std=50.0),
    "quiet": noise(700, std=0.7),
    "loud": noise(700, std=9_000.0),
    "eight bits": tone(1_400) & -256,
}


def head(spread: float) -> AdaptiveHead:
    torch.manual_seed(0)
    made = AdaptiveHead(HIDDEN, HOP, STEP)
    with torch.no_grad():
        for weights in made.parameters():
            weights.normal_(0, spread)
    return made.double()


def mixtures(made: AdaptiveHead, samples: Samples, hidden: torch.Tensor, unused: int = 0) -> ExpertMixture:
    rows = torch.from_numpy(StepFeatures(HOP, WINDOW, unused).rows(samples)).double()
    values = torch.from_numpy(samples.reshape(-1, HOP)).double() * STEP
    found = made(hidden, torch.cat([values, rows], -1))
    assert isinstance(found, ExpertMixture)
    return found


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("name", SOUNDS)
def test_the_mixture_of_each_sample_is_the_compiled_one(name: str, spread: float) -> None:
    """Rows are in single precision; differences of that size remain."""
    samples, made = SOUNDS[name], head(spread)
    unused = 8 if name == "eight bits" else 0
    hidden = torch.randn(len(samples) // HOP, HIDDEN, dtype=torch.float64)
    found = mixtures(made, samples, hidden, unused)
    unit = STEP * (1 << unused)
    weights = torch.softmax(found.logits, -1).detach().numpy().reshape(-1, EXPERTS)
    mean = (found.mean / unit).detach().numpy().reshape(-1, EXPERTS)
    scale = (found.scale / unit).detach().numpy().reshape(-1, EXPERTS)
    emitted = made.projection(hidden).detach().float().numpy()
    state = new_guided(WINDOW)
    for n, value in enumerate((samples >> unused).astype(np.float64)):
        if n % HOP == 0:
            guided.set_changes(state, emitted[n // HOP])
        guided.predict(state)
        guided.mix(state)
        np.testing.assert_allclose(scale[n], 1 / state.inverse, rtol=1e-5)
        np.testing.assert_allclose(mean[n], state.mean, rtol=1e-5, atol=1e-4 * (1 + state.scale.max()))
        np.testing.assert_allclose(weights[n], state.weights, rtol=2e-2, atol=2e-3)
        guided.learn(state, float(value))


def test_a_new_head_changes_nothing() -> None:
    made = AdaptiveHead(HIDDEN, HOP, STEP)
    assert made.projection.out_features == CHANGES
    assert not made.projection(torch.randn(3, HIDDEN)).any()


def test_training_learns_changes() -> None:
    """A network that knows nothing but a constant still finds better weights, shifts and scales than none."""
    samples, made = SOUNDS["tone"], head(0.0)
    hidden = torch.ones(len(samples) // HOP, HIDDEN, dtype=torch.float64)
    values = torch.from_numpy(samples.reshape(-1, HOP)).double() * STEP
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    costs = []
    for _ in range(25):
        found = mixtures(made, samples, hidden)
        loss = -found.discrete_log_prob(values, values - STEP / 2, values + STEP / 2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        costs.append(float(loss.detach()))
    assert costs[-1] < costs[0] - 0.1
