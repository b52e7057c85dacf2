"""Compiled generation against a plain loop in torch, and against itself."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.distributions.mixture import select_component
from models.predictor import Predictor
from tests.helpers.networks.compiled import COVARIANCES, WINDOW, both, compiled, numbers, values

MEAN, STD, UNIT = -0.0016, 0.0612, 1 / 32_768
CLOSE = 1e-4 * 32_768


def torch_generation(
    network: Predictor, window: Tensor, uniform: Tensor, noise: Tensor, **how: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plain loop: samples (B, T * D), and where blocks were turned down and scales narrowed."""
    temperature, noise_scale, max_scale = how["temperature"], how["noise_scale"], how["max_scale"]
    state, power, blocks, loud, wide = network.initial_state(len(window)), 0.0, [], [], []
    for t in range(uniform.shape[1]):
        mixture, state = network.step(window, state)
        if how["mode"] == "mean":
            drawn = mixture.expectation()
        else:
            drawn = mixture.draw(
                uniform[:, t], noise[:, t], temperature, noise_scale=noise_scale, max_scale=max_scale
            )
        chosen = mixture.choose(uniform[:, t], temperature)
        wide.append((select_component(mixture.scale, chosen) > max_scale).any(-1))
        limit, memory = how["limiter_limit"] or np.inf, how["limiter_memory"]
        block = drawn.double().square().mean(-1)
        loud.append(memory * power + (1 - memory) * block > limit**2)
        room = (limit**2 - memory * torch.as_tensor(power)).clamp(min=0) / (1 - memory)
        gain = torch.where(loud[-1], (room / block).sqrt(), torch.ones(()).double())
        power = memory * power + (1 - memory) * gain**2 * block
        restored = (drawn * gain.float()[:, None] * how["std"] + how["mean"]) / how["unit"]
        blocks.append(restored.round().clamp(-32_768, 32_767))
        context = (blocks[-1] * how["unit"] - how["mean"]) / how["std"]
        window = torch.cat([window, context], -1)[:, -window.shape[1] :]
    return (
        torch.cat(blocks, -1).numpy(),
        torch.stack(loud, -1).numpy(),
        torch.stack(wide, -1).numpy(),
    )


def how(**changes: Any) -> dict[str, Any]:
    scaling = {"mean": MEAN, "std": STD, "unit": UNIT}
    usual = {"temperature": 1.0, "noise_scale": 1.0, "max_scale": 1.0, "mode": "sample"}
    return {**scaling, **usual, "limiter_limit": None, "limiter_memory": 0.0, **changes}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("batch", [1, 3, 9])
@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_it_generates_what_a_loop_in_torch_does(cell: str, covariance: str, batch: int) -> None:
    network, fast = both(cell, covariance, companding_step=5e-3)
    window, (uniform, noise) = values(batch, WINDOW), numbers(batch, 300)
    settings = how(limiter_limit=0.3, limiter_memory=0.9, max_scale=0.35)
    tensors = (torch.from_numpy(array) for array in (window, uniform, noise))
    expected, loud, wide = torch_generation(network, *tensors, **settings)
    made = fast.generate(300, fast.initial_state(batch), window, uniform, noise, **settings)
    assert np.abs(made.samples - expected).max() < CLOSE
    assert (made.gain_reduced == loud).all()
    assert (made.scale_clipped == wide).all()
    assert 0 < loud.mean() < 1
    assert 0 < wide.mean() < 1


@pytest.mark.thinned(2)
@pytest.mark.parametrize("mode", ["mean", "likely"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_modes_without_random_numbers(covariance: str, mode: str) -> None:
    network, fast = both("gru", covariance)
    window, (uniform, noise) = values(2, WINDOW), numbers(2, 200)
    tensors = [torch.from_numpy(array) for array in (window, uniform, noise)]
    settings = how(mode=mode, temperature=0.0, noise_scale=0.0)
    expected, _, _ = torch_generation(network, *tensors, **settings)
    made = fast.generate(200, fast.initial_state(2), window, uniform, noise, **settings)
    assert np.abs(made.samples - expected).max() < CLOSE


@pytest.mark.parametrize(("temperature", "noise_scale"), [(0.5, 0.7), (0.0, 1.0), (2.0, 0.0)])
def test_temperature_and_spread(temperature: float, noise_scale: float) -> None:
    network, fast = both("lstm", "full")
    window, (uniform, noise) = values(2, WINDOW), numbers(2, 200)
    tensors = [torch.from_numpy(array) for array in (window, uniform, noise)]
    settings = how(temperature=temperature, noise_scale=noise_scale)
    expected, _, _ = torch_generation(network, *tensors, **settings)
    made = fast.generate(200, fast.initial_state(2), window, uniform, noise, **settings)
    assert np.abs(made.samples - expected).max() < CLOSE


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("cell", ["chung2014-gru", "lstm"])
def test_takes_and_pieces_change_no_bit(cell: str, covariance: str) -> None:
    _, fast = both(cell, covariance, companding_step=5e-3, num_layers=2, layer_norm=True)
    window, (uniform, noise) = values(7, WINDOW), numbers(7, 120)
    settings = how(limiter_limit=0.5, limiter_memory=0.9, max_scale=0.5)
    whole = fast.generate(120, fast.initial_state(7), window, uniform, noise, **settings)
    assert whole.gain_reduced.any()
    for b in (0, 6):
        one = slice(b, b + 1)
        begin = uniform[one, :50], noise[one, :50]
        first = fast.generate(50, fast.initial_state(1), window[one], *begin, **settings)
        settings_after = {**settings, "limiter_power": first.limiter_power}
        rest = uniform[one, 50:], noise[one, 50:]
        second = fast.generate(70, first.state, first.window, *rest, **settings_after)
        for name in ("samples", "gain_reduced", "scale_clipped"):
            parts = [getattr(first, name), getattr(second, name)]
            np.testing.assert_array_equal(np.concatenate(parts, 1)[0], getattr(whole, name)[b])
        np.testing.assert_array_equal(second.limiter_power[0], whole.limiter_power[b])
        np.testing.assert_array_equal(second.window[0], whole.window[b])
        for part, all_parts in zip(second.state, whole.state, strict=True):
            np.testing.assert_array_equal(part[:, 0], all_parts[:, b])


def test_a_block_longer_than_the_window() -> None:
    _, fast = both("tanh", seen=3)
    window, (uniform, noise) = values(1, 3), numbers(1, 2)
    made = fast.generate(2, fast.initial_state(1), window, uniform, noise, **how())
    expected = (made.samples[:, -3:] * np.float32(UNIT) - np.float32(MEAN)) / np.float32(STD)
    np.testing.assert_allclose(made.window, expected, atol=1e-6)


def test_sound_is_clipped_and_what_is_no_number_is_silence() -> None:
    network, _ = both("tanh")
    network.head.projection.bias[4:24] = torch.tensor([1e6, -1e6, 1e4, -1e4, torch.nan] * 4)
    fast = compiled(network, "tanh")
    uniform, noise = numbers(1, 1)
    made = fast.generate(1, fast.initial_state(1), values(1, WINDOW), uniform, noise, **how())
    assert made.samples[0].tolist() == [32_767, -32_768, 32_767, -32_768, 0]


def test_an_unstable_component_is_drawn_from_as_torch_does() -> None:
    network, _ = both("gru", "autoregressive")
    network.head.start[:2] = torch.tensor([2.1, -1.2])
    fast = compiled(network, "gru", "autoregressive")
    window, (uniform, noise) = 0.1 * values(3, WINDOW), numbers(3, 4)
    tensors = [torch.from_numpy(array) for array in (window, uniform, noise)]
    expected, _, _ = torch_generation(network, *tensors, **how(noise_scale=0.1))
    made = fast.generate(4, fast.initial_state(3), window, uniform, noise, **how(noise_scale=0.1))
    assert np.abs(made.samples - expected).max() < CLOSE
