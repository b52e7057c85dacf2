"""The output heads give mixtures that reach the entropy of their data, with finite losses and gradients."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.distributions.constants import MAX_RAW_SCALE
from models.heads import (
    AutoregressiveMixtureHead,
    FullMixtureHead,
    GaussianMixtureHead,
    MixtureHead,
    backward_errors,
)
from models.recurrent.stack import RecurrentStack

STEP = 1 / 32_768
SPEECH = torch.tensor([1.9, -1.3, 0.5, -0.15])


def diagonal(hidden_size: int, target_size: int, components: int, floor: float) -> MixtureHead:
    return GaussianMixtureHead(hidden_size, target_size, components, floor)


def full(hidden_size: int, target_size: int, components: int, floor: float) -> MixtureHead:
    return FullMixtureHead(hidden_size, target_size, components, floor)


def autoregressive(hidden_size: int, target_size: int, components: int, floor: float) -> MixtureHead:
    head = AutoregressiveMixtureHead(hidden_size, target_size, components, floor, order=16)
    head.start_at(torch.cat([SPEECH, torch.zeros(12)]), residual_std=0.1)
    return head


HEADS = pytest.mark.parametrize("make_head", [diagonal, full, autoregressive])
MakeHead = Callable[[int, int, int, float], MixtureHead]

# Sound that is hard on a density


def digital_silence(count: int) -> Tensor:
    return torch.zeros(count)


def full_scale_square_wave(count: int) -> Tensor:
    return torch.arange(count) // 20 % 2 * 2.0 - 1


def clipped_noise(count: int) -> Tensor:
    noise = torch.randn(count, generator=torch.Generator().manual_seed(1))
    return (3 * noise).clamp(-1, 1 - STEP)


@pytest.mark.thinned(7)
@HEADS
@pytest.mark.parametrize("sound", [digital_silence, full_scale_square_wave])
@pytest.mark.parametrize("reduced", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("rate", [1e-2, 1.0])
def test_training_on_constant_sound_never_blows_up(
    sound: Callable[[int], Tensor], reduced: bool, rate: float, make_head: MakeHead
) -> None:
    """Without its floor the loss falls without end here; with it no density passes the floor's own."""
    torch.manual_seed(0)
    floor = 0.1 * STEP
    head = make_head(8, 10, 5, floor)
    optimizer = torch.optim.Adam(head.parameters(), lr=rate)
    lowest = 10 * math.log(floor * math.sqrt(2 * math.pi))
    losses = []
    for frames in sound(100 * 660).view(100, 660):
        target = frames[20:].view(64, 10)
        hidden = torch.tanh(torch.randn(64, 8))
        hidden[:, 0] = target[:, 0]
        with torch.autocast("cpu", torch.bfloat16, reduced):
            mixture = head(hidden, frames[:-10].unfold(0, 20, 10))
            loss = -mixture.log_prob(target).mean()
        assert loss.dtype == mixture.scale.dtype == torch.float32
        assert float(mixture.scale.detach().min()) >= floor
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
    assert all(math.isfinite(loss) and loss >= lowest for loss in losses)


@pytest.mark.thinned(3)
@HEADS
@pytest.mark.parametrize("sound", [digital_silence, full_scale_square_wave, clipped_noise])
@pytest.mark.parametrize("discrete", [False, True], ids=["density", "discrete"])
def test_a_network_survives_hard_sound_at_a_high_learning_rate(
    sound: Callable[[int], Tensor], discrete: bool, make_head: MakeHead
) -> None:
    """Full scale is 20 standard deviations of the data, as in speech; every gradient must be finite."""
    torch.manual_seed(0)
    std, steps = 0.05, 20
    recurrent, head = RecurrentStack("gru", 20, 32), make_head(32, 10, 8, 0.1 * STEP / std)
    weights = [*recurrent.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2e-2)
    sounds = sound(30 * 4 * (20 + 10 * steps)).view(30, 4, -1)
    for batch in sounds:
        value, target = batch / std, (batch[:, 20:] / std).view(4, steps, 10)
        inputs = value[:, :-10].unfold(1, 20, 10)
        with torch.autocast("cpu", torch.bfloat16):
            hidden, _ = recurrent(inputs, recurrent.initial_state(4))
            mixture = head(hidden, inputs)
        bounds = (target - STEP / std / 2, target + STEP / std / 2)
        edged = (bounds[0].where(target > -1 / std, -torch.inf), bounds[1].where(target < 1 / std, torch.inf))
        found = mixture.discrete_log_prob(target, *edged) if discrete else mixture.log_prob(target)
        optimizer.zero_grad()
        (-found.mean()).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0, error_if_nonfinite=True)
        optimizer.step()
        assert found.isfinite().all()
    assert all(weight.isfinite().all() for weight in weights)


# A known process, x_n = 1.6 x_{n-1} - 0.8 x_{n-2} + e_n

PROCESS = (1.6, -0.8)


def second_order_process(count: int) -> Tensor:
    samples = np.zeros(count + 1_000)
    errors = np.random.default_rng(0).standard_normal(len(samples))
    for n in range(2, len(samples)):
        samples[n] = PROCESS[0] * samples[n - 1] + PROCESS[1] * samples[n - 2] + errors[n]
    return torch.from_numpy(samples[1_000:]).float()


def covariance(size: int) -> np.ndarray:
    """Of ``size`` samples in a row, from the response to a single error."""
    response = [1.0, PROCESS[0]]
    while len(response) < 500:
        response.append(PROCESS[0] * response[-1] + PROCESS[1] * response[-2])
    lags = [np.dot(response[: 500 - lag], response[lag:]) for lag in range(size)]
    return np.array([[lags[abs(i - j)] for j in range(size)] for i in range(size)])


def learnt_nats(head: MixtureHead, updates: int) -> float:
    """Nats per sample of a head over frames of 10, which sees nothing but, at most, the 20 before."""
    samples = second_order_process(200_020)
    inputs, targets = samples[:-10].unfold(0, 20, 10), samples[20:].view(-1, 10)
    hidden = torch.zeros(1, head.projection.in_features)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.03)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, updates)
    for _ in range(updates):
        chosen = torch.randint(0, 10_000, (500,))
        optimizer.zero_grad()
        loss = -head(hidden.expand(500, -1), inputs[chosen]).log_prob(targets[chosen]).mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        unseen = head(hidden.expand(10_000, -1), inputs[10_000:]).log_prob(targets[10_000:])
    return -float(unseen.mean()) / 10


@pytest.mark.thinned(9)
@pytest.mark.parametrize("order", [2, 4])
def test_an_autoregressive_head_learns_the_entropy_rate_of_a_process(order: int) -> None:
    """From no knowledge at all, or from the predictor of another process. The samples' scatter is 0.2%."""
    torch.manual_seed(0)
    head = AutoregressiveMixtureHead(4, 10, 2, 1e-4, order)
    if order == len(SPEECH):
        head.start_at(SPEECH, residual_std=2.0)
    rate = 0.5 * math.log(2 * math.pi * math.e)
    assert learnt_nats(head, 600) == pytest.approx(rate, rel=0.01)


@pytest.mark.slow
def test_a_full_head_learns_the_entropy_of_a_frame_and_a_diagonal_one_cannot() -> None:
    """Neither sees the frame before: the first samples of each cost more than the process demands."""
    torch.manual_seed(0)
    joint = np.linalg.slogdet(2 * math.pi * math.e * covariance(10))[1] / 20
    alone = 0.5 * math.log(2 * math.pi * math.e * covariance(1)[0, 0])
    assert learnt_nats(FullMixtureHead(4, 10, 1, 1e-4), 600) == pytest.approx(joint, rel=0.01)
    assert learnt_nats(GaussianMixtureHead(4, 10, 1, 1e-4), 600) == pytest.approx(alone, rel=0.01)
    assert alone > joint + 0.5


# Where they start


def test_an_autoregressive_head_starts_at_a_linear_predictor_for_any_hidden_vector() -> None:
    head = AutoregressiveMixtureHead(8, 10, 6, 1e-6, order=4)
    head.start_at(SPEECH, residual_std=0.02, offset=0.3)
    before, value = torch.randn(5, 20), torch.randn(5, 10)
    mixture = head(torch.randn(5, 8), before)
    windows = torch.cat([before, value], -1).unfold(-1, 4, 1)[:, -11:-1].flip(-1)
    expected = (0.3 + windows @ SPEECH)[:, None].expand(5, 6, 10)
    torch.testing.assert_close(mixture.conditional_mean(value), expected, rtol=1e-4, atol=1e-4)
    widths = head(torch.zeros(8), before[0]).scale[:, 0].detach() - 1e-6
    assert float(widths[0]) == pytest.approx(0.002, rel=0.01)
    assert float(widths[-1]) == pytest.approx(0.08, rel=0.01)


def test_backward_errors_are_uncorrelated_and_as_large_as_the_predictors() -> None:
    past = covariance(2 + 4)[:4, :4]
    rows = backward_errors(torch.tensor([*PROCESS, 0.0, 0.0])).numpy()
    np.testing.assert_allclose(rows @ past @ rows.T, np.eye(4), atol=1e-6)
    assert backward_errors(torch.tensor([2.5, -1.2, 0.3])).isfinite().all()  # an unstable one


@HEADS
def test_components_start_at_different_widths(make_head: MakeHead) -> None:
    widths = make_head(4, 3, 20, 1e-9)(torch.zeros(4), torch.zeros(20)).scale[:, 0].detach()
    assert all(narrow < wide for narrow, wide in itertools.pairwise(widths.tolist()))
    assert float(widths[-1] / widths[0]) == pytest.approx(
        40 if make_head is autoregressive else 33.3, rel=0.01
    )


@settings(max_examples=30)
@given(raw=st.floats(-1e30, 1e30), floor=st.floats(1e-6, 1.0))
def test_no_scale_leaves_its_bounds(raw: float, floor: float) -> None:
    head = GaussianMixtureHead(1, 1, 1, floor)
    with torch.no_grad():
        head.projection.weight.zero_()
        head.projection.bias[2] = raw
    scale = float(head(torch.zeros(1), torch.zeros(1)).scale.detach())
    assert floor * (1 - 1e-6) <= scale <= math.exp(MAX_RAW_SCALE) + floor + 1e-3
