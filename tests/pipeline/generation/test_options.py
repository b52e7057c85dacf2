"""Each take has its own random numbers, independent of other takes and of portions."""

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.generation.options import Draws, SamplingOptions


def drawn(sampling: SamplingOptions, *portions: int) -> tuple[np.ndarray, np.ndarray]:
    draws = Draws(sampling, 3)
    parts = [part for steps in portions for part in draws.portions(steps)]
    uniform, noise = (np.concatenate(each, 1) for each in zip(*parts, strict=True))
    return uniform, noise


def test_portions_do_not_matter() -> None:
    whole = drawn(SamplingOptions(takes=2, seed=4), 700)
    for portions in ((1, 699), (255, 1, 1, 443), (256, 256, 188)):
        for one, other in zip(whole, drawn(SamplingOptions(takes=2, seed=4), *portions), strict=True):
            assert np.array_equal(one, other)
    assert whole[0].shape == (2, 700)
    assert whole[1].shape == (2, 700, 3)


def test_a_take_draws_what_it_would_draw_alone_with_its_seed() -> None:
    uniform, noise = drawn(SamplingOptions(takes=3, seed=5), 300)
    for take in range(3):
        alone = drawn(SamplingOptions(seed=5 + take), 300)
        assert np.array_equal(uniform[take : take + 1], alone[0])
        assert np.array_equal(noise[take : take + 1], alone[1])


def test_numbers_are_uniform_and_normal() -> None:
    uniform, noise = drawn(SamplingOptions(), 100_000)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.005)
    assert noise.std() == pytest.approx(1, abs=0.005)
    assert np.abs(np.corrcoef(noise[0].T) - np.eye(3)).max() < 0.02


@pytest.mark.parametrize(
    "wish",
    [{"takes": 0}, {"seed": -1}, {"temperature": -0.1}, {"temperature": float("nan")}, {"noise_scale": -1.0}],
)
def test_invalid_options_are_rejected(wish: dict[str, float]) -> None:
    with pytest.raises(UserError) as printed:
        SamplingOptions(**wish)
    assert printed.value.exit_code == 2
