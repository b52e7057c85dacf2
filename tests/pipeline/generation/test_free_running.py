"""Compiled and torch continuations are equal, and both report when the limiter acted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.config.inputs import WaveformConfig
from pipeline.generation.context import Rows
from pipeline.generation.free_running import FreeRun, LimiterLog, maximum_scale
from pipeline.generation.free_running_compiled import CompiledFreeRun
from pipeline.generation.free_running_torch import TorchFreeRun
from pipeline.generation.options import Draws, Mode, SamplingOptions
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import tiny_model, tone

SOUND = WaveformConfig(sample_rate=8_000)
MODELS = {
    "gru": {},
    "lstm": {"cell": "lstm", "num_layers": 2, "layer_norm": True, "residual": True},
    "tanh": {"cell": "tanh", "covariance": "full", "learned_initial_state": True},
    "autoregressive": {"covariance": "autoregressive", "autoregressive_order": 24, "companding": True},
}


def context(count: int) -> Rows:
    return tone(count)[:, None]


def both(model: TrainedModel, rows: Rows, sampling: SamplingOptions) -> list[FreeRun]:
    return [kind(model, rows, sampling) for kind in (CompiledFreeRun, TorchFreeRun)]


def rows_of(run: FreeRun, count: int) -> Rows:
    return np.concatenate(list(run.rows(count)), 1)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("mode", ["sample", "mean", "likely"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("length", [0, 7, 1_234])
def test_compiled_and_torch_draw_the_same_samples(name: str, mode: Mode, length: int) -> None:
    model = tiny_model(SOUND, **MODELS[name])
    sampling = SamplingOptions(takes=3, seed=2, temperature=0.9, noise_scale=0.7, mode=mode)
    compiled, reference = (rows_of(run, 2_000) for run in both(model, context(length), sampling))
    assert compiled.shape == reference.shape == (3, 2_000, 1)
    assert compiled.dtype == reference.dtype == np.int16
    # Rounding rarely differs; from there on both have different contexts.
    apart = np.abs(compiled.astype(int) - reference)
    assert apart[:, :400].max() <= 1
    assert np.median(apart) <= 1
    if mode == "sample":
        assert compiled.std() > 100


@pytest.mark.parametrize("name", ["gru", "lstm", "tanh", "autoregressive"])
def test_at_the_papers_size_every_step_of_a_thousand_is_the_networks(name: str) -> None:
    """After the compiled loop's past, torch draws the same samples from the same random numbers."""
    widths = {"lstm": 195, "tanh": 400}
    settings = {"hidden_size": widths.get(name, 227), "mixture_components": 20, "cell": name}
    if name == "autoregressive":
        settings |= {"cell": "gru", "mixture_components": 8, "covariance": name, "companding": True}
    model, sampling = tiny_model(SOUND, **settings), SamplingOptions(takes=2, seed=1, noise_scale=1.0)
    made = torch.from_numpy(rows_of(CompiledFreeRun(model, context(0), sampling), 10_000))
    frames, normaliser = model.framing, model.normaliser()
    padded = torch.cat([torch.zeros(2, frames.window, 1), normaliser.normalise(made)], 1)
    inputs, _, _ = frames.split(padded, torch.ones(padded.shape[:2], dtype=torch.bool))
    with torch.no_grad():
        distribution, _ = model.network(inputs, model.network.initial_state(2))
    parts = zip(*Draws(sampling, frames.target_size).portions(1_000), strict=True)
    uniform, noise = (torch.from_numpy(np.concatenate(part, 1)) for part in parts)
    drawn = normaliser.restore(
        distribution.draw(uniform, noise, max_scale=maximum_scale(model)).reshape(2, -1, 1)
    )
    assert made.float().std() > 100
    assert int((drawn.int() - made.int()).abs().max()) <= 1  # 3e-5 of full scale: where rounding falls


def test_a_take_is_that_of_its_seed_alone() -> None:
    model = tiny_model(SOUND)
    together = rows_of(CompiledFreeRun(model, context(500), SamplingOptions(takes=3, seed=7)), 1_000)
    alone = rows_of(CompiledFreeRun(model, context(500), SamplingOptions(seed=9)), 1_000)
    assert np.array_equal(together[2:], alone)


def loud_model() -> TrainedModel:
    """A model whose samples are all louder, with larger scales, than its training split."""
    model = tiny_model(SOUND)
    with torch.no_grad():
        model.network.head.projection.bias[-30:] = 2.0
    return replace(model, trained={"loudest_level": 0.5})


def test_both_report_when_the_limiter_acted() -> None:
    logs = []
    for run in both(loud_model(), context(200), SamplingOptions(takes=2)):
        rows_of(run, 3_000)
        logs.append([run.limiter.report(take, 1e-3) for take in range(2)])
    assert logs[0] == logs[1]
    assert logs[0][0]["gain_reduced_seconds"] > 0.1
    assert logs[0][0]["scale_clipped_seconds"] > 0.1
    assert logs[0][0]["first_seconds"] < 0.05


def test_a_log_counts_over_portions() -> None:
    log = LimiterLog.of(2)
    none = np.zeros((2, 3), bool)
    log.note(none, none)
    once = np.array([[False, True, True], [False, False, False]])
    log.note(once, none)
    log.note(none, once)
    assert log.report(0, 0.5) == {
        "gain_reduced_seconds": 1.0,
        "scale_clipped_seconds": 1.0,
        "first_seconds": 2.0,
    }
    assert log.report(1, 0.5) == {
        "gain_reduced_seconds": 0.0,
        "scale_clipped_seconds": 0.0,
        "first_seconds": None,
    }


def test_the_state_after_a_context_is_that_of_evaluation() -> None:
    """The compiled state after a recording is that of the network's one long pass."""
    model = tiny_model(SOUND, cell="lstm", num_layers=2)
    run = CompiledFreeRun(model, context(5_003), SamplingOptions())
    reference = TorchFreeRun(model, context(5_003), SamplingOptions())
    for part, expected in zip(run._state, reference._run.memory[2:], strict=True):
        np.testing.assert_allclose(part, expected.numpy(), rtol=0, atol=1e-5)
