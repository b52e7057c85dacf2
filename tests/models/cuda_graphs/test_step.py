"""A replayed step gives what the step as written gives, whatever it does with its memory.

Without a GPU, a stand-in plays out where a graph keeps its memory (see
`tests.helpers.networks.recorded_graphs`). That a whole step never waits for a GPU is found out with tensors
that have shapes, types and a device, but no values.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from models.cuda_graphs import step as captured_step
from models.cuda_graphs.step import CapturedStep, Memory
from models.distributions.constants import POLE_LIMIT
from models.distributions.stability import is_stable, poles_are_inside, pull_inside, stabilise
from pipeline.config.inputs import PianoRollConfig
from pipeline.features.normaliser import Normaliser
from pipeline.model.limiter import RmsLimiter
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import tiny_model
from tests.helpers.networks.recorded_graphs import Recorder, recording

B, STEPS = 3, 7
KINDS: dict[str, dict[str, Any]] = {
    "gru": {},
    "lstm, two layers": {"cell": "lstm", "num_layers": 2, "layer_norm": True, "learned_initial_state": True},
    "chung2014-lstm": {"cell": "chung2014-lstm"},
    "full": {"covariance": "full"},
    "autoregressive": {"covariance": "autoregressive", "autoregressive_order": 5},
    "convolutions": {"convolutions": [[6, 4, 2], [5, 3, 2]]},
    "encoder-decoder": {"architecture": "encoder-decoder", "decode_steps": 3, "attention_steps": 4},
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The CPU captures, as a GPU does."""
    return recording(captured_step, monkeypatch)


@pytest.fixture
def float64() -> Iterator[None]:
    """Models and numbers in float64.

    The last bit of a matrix product depends on where its operands lie and on their strides, so a step that
    finds the same values at another place may differ by it. In float64 no sample is rounded otherwise.
    """
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_same(found: list[tuple[Tensor, ...]], expected: list[tuple[Tensor, ...]]) -> None:
    """Equal but for rounding; memory that was read too late or too early makes differences above 0.01."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def free_running(
    model: TrainedModel, device: str, normaliser: Normaliser | None = None
) -> tuple[Callable[..., Any], Memory]:
    """A step (window, power, *state), uniform, noise -> rows, where turned down; and the memory at first."""
    frames, normaliser = model.framing, normaliser or model.normaliser()
    limiter = RmsLimiter.of(2.0, frames.hop, 8_000)

    def step(memory: Memory, uniform: Tensor, noise: Tensor) -> tuple[tuple[Tensor, ...], Memory]:
        window, power, *state = memory
        distribution, after = model.network.step(window, tuple(state))
        values = distribution.draw(uniform, noise, 0.9, noise_scale=0.8, max_scale=1.0)
        values, power, loud = limiter(values, power)
        rows = normaliser.restore(values.view(len(values), frames.hop, frames.width))
        context = torch.cat([window, normaliser.normalise(rows).flatten(1)], 1)[:, -window.shape[1] :]
        return (rows, loud), (context, power, *after)

    window = torch.zeros(B, frames.input_size, device=device)
    power = torch.zeros(B, dtype=torch.float64, device=device)
    return step, (window, power, *model.network.initial_state(B))


def random_numbers(model: TrainedModel, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        uniform, noise = (torch.rand(B, generator=random), torch.randn(B, size_of(model), generator=random))
        yield uniform.to(device), noise.to(device)


def size_of(model: TrainedModel) -> int:
    return model.framing.target_size


def as_written(model: TrainedModel, device: str) -> list[tuple[Tensor, ...]]:
    step, memory = free_running(model, device)
    found = []
    with torch.inference_mode():
        for numbers in random_numbers(model, device):
            results, memory = step(memory, *numbers)
            found.append((*results, *memory))
    return found


def replayed(model: TrainedModel, device: str) -> list[tuple[Tensor, ...]]:
    """Results and memory of each step; results as they were returned, compared when all is done."""
    step, memory = free_running(model, device)
    run = CapturedStep(step, memory, *next(random_numbers(model, device)))
    return [
        (*run(*numbers), *(part.clone() for part in run.memory)) for numbers in random_numbers(model, device)
    ]


@pytest.mark.usefixtures("float64")
@each_kind
def test_replays_are_the_steps_as_written(kind: str, graphs: Recorder) -> None:
    model = tiny_model(**KINDS[kind])
    expected = as_written(model, "cpu")
    assert_same(replayed(model, "cpu"), expected)
    assert (graphs.captures, graphs.replays) == (1, STEPS)
    assert len({tuple(rows.flatten().tolist()) for rows, *_ in expected}) == STEPS, "no step is like another"


@pytest.mark.usefixtures("float64")
@each_kind
def test_a_cpu_runs_the_step_as_written(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_step, "record", lambda *_: pytest.fail("captured on a CPU"))
    model = tiny_model(**KINDS[kind])
    assert_same(replayed(model, "cpu"), as_written(model, "cpu"))


def test_memory_may_move_within_itself(graphs: Recorder) -> None:
    """Parts that change places, shift, stay and are results too are read before they are overwritten."""

    def step(memory: Memory, added: Tensor) -> tuple[tuple[Tensor, ...], Memory]:
        first, second, line, kept = memory
        return (first, line[0]), (second, first + added, line.roll(1), kept)

    memory = (torch.tensor([1.0]), torch.tensor([2.0]), torch.arange(4.0), torch.tensor([7.0]))
    run = CapturedStep(step, memory, torch.zeros(1))
    found = [run(torch.tensor([10.0 * n])) for n in range(4)]
    assert [(float(first), float(head)) for first, head in found] == [(1, 0), (2, 3), (1, 2), (12, 1)]
    assert [part.tolist() for part in run.memory] == [[21.0], [42.0], [0.0, 1.0, 2.0, 3.0], [7.0]]
    assert [part.tolist() for part in memory] == [[1.0], [2.0], [0.0, 1.0, 2.0, 3.0], [7.0]], "a copy is kept"
    assert graphs.captures == 1


@pytest.mark.parametrize("captured", [False, True])
def test_another_shape_is_rejected_not_broadcast(captured: bool, request: pytest.FixtureRequest) -> None:
    if captured:
        request.getfixturevalue("graphs")
    run = CapturedStep(lambda memory, part: ((part,), (memory[0] + part,)), [torch.zeros(3)], torch.zeros(3))
    with pytest.raises(ValueError, match=r"\(1,\), not \(3,\)" if captured else r"\(5, 3\), not \(3,\)"):
        run(torch.ones(1) if captured else torch.ones(5, 3))


@pytest.mark.usefixtures("float64")
def test_a_failed_capture_is_reported_and_the_step_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the attempt did to the memory is undone."""

    def fail(step: Callable[..., Any], places: Memory) -> Any:
        step(*places)
        raise RuntimeError("CUDA error: not permitted\nand much more")

    monkeypatch.setattr(captured_step, "can_capture", lambda _: True)
    monkeypatch.setattr(captured_step, "record", fail)
    model = tiny_model()
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        found = replayed(model, "cpu")
    reason = "free running goes without CUDA graphs: CUDA error: not permitted"
    assert [str(one.message) for one in printed] == [reason]
    assert_same(found, as_written(model, "cpu"))


# Nothing waits for the GPU


class Crossings(TorchDispatchMode):
    """Notes every copy from one device to another."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [part for part in (*args, result) if isinstance(part, Tensor)]
        if len({part.device for part in tensors}) > 1:
            self.found.append(str(func))
        return result


def on_a_gpu_without_values(model: TrainedModel) -> list[str]:
    """Run a step on such tensors; copies between devices are returned, a value asked for raises."""
    normaliser = model.normaliser()
    with FakeTensorMode(), torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's layers look where their weights lie
        for module in model.network.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    empty = torch.empty(weight.shape, device="cuda")
                    module._parameters[name] = torch.nn.Parameter(empty, requires_grad=False)
            for name, buffer in module._buffers.items():
                module._buffers[name] = torch.empty(buffer.shape, device="cuda")  # type: ignore[union-attr]
        for name, moment in vars(normaliser).items():
            if isinstance(moment, Tensor):
                setattr(normaliser, name, torch.empty(moment.shape, device="cuda"))
        step, memory = free_running(model, "cuda", normaliser)
        numbers = torch.empty(B, device="cuda"), torch.empty(B, size_of(model), device="cuda")
        crossings = Crossings()
        with crossings:
            results, _ = step(memory, *numbers)
        assert results[0].device.type == "cuda"
    return crossings.found


@each_kind
def test_a_step_asks_a_gpu_for_no_value(kind: str) -> None:
    assert on_a_gpu_without_values(tiny_model(**KINDS[kind])) == []


def test_asking_would_be_noticed() -> None:
    model = tiny_model(PianoRollConfig(kind="piano-roll"), head="nade")
    with pytest.raises(Exception, match="_local_scalar_dense"):
        on_a_gpu_without_values(model)
    crossings = Crossings()
    with FakeTensorMode(), crossings:
        torch.zeros(2).to("cuda")
    assert crossings.found


# Stable predictors without waiting


def predictors(order: int, count: int = 200) -> Tensor:
    """(count, P), about half of them with poles outside the unit circle, of all shapes and sizes."""
    random = np.random.default_rng(order)
    rows = []
    for _ in range(count):
        angle, radius = random.uniform(0, np.pi, order // 2), random.uniform(0.2, 1.15, order // 2)
        poles = radius * np.exp(1j * angle)
        real = random.uniform(-1.1, 1.1, order % 2)
        rows.append(-np.poly(np.concatenate([poles, poles.conj(), real])).real[1:])
    return torch.tensor(np.array(rows))


def radius_of(row: Tensor) -> float:
    return float(np.abs(np.roots([1.0, *(-row).tolist()])).max())


@pytest.mark.parametrize("order", [1, 2, 5, 16, 32])
def test_predictors_are_pulled_inside_as_stable_does(order: int) -> None:
    given = predictors(order)
    unstable = torch.tensor([not is_stable(row) for row in given.tolist()])
    assert 0 < unstable.sum() < len(given) or order > 5
    torch.testing.assert_close(poles_are_inside(given), ~unstable)
    found, expected = pull_inside(given, POLE_LIMIT), stabilise(given)
    torch.testing.assert_close(found[~unstable], given[~unstable], rtol=0, atol=0)
    for ours, theirs in zip(found[unstable], expected[unstable], strict=True):
        assert radius_of(ours) == pytest.approx(radius_of(theirs), rel=1e-3)
    assert poles_are_inside(found).all()


def test_nothing_and_far_too_much_are_predictors_too() -> None:
    given = torch.tensor([[0.0, 0.0, 0.0], [1e4, -1e5, 1e3], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
    found = pull_inside(given, POLE_LIMIT)
    assert torch.equal(found[0], given[0])
    for row in found[1:]:
        assert radius_of(row) == pytest.approx(POLE_LIMIT, rel=1e-3)
    several = pull_inside(given.expand(2, 4, 3), POLE_LIMIT)
    assert torch.equal(several, found.expand(2, 4, 3)), "each on its own, whatever the batch"


@pytest.mark.gpu
@each_kind
def test_replays_on_a_gpu_are_the_steps_as_written(kind: str) -> None:
    """Samples may differ by one where the library takes another algorithm for a product in a graph."""
    model = tiny_model(**KINDS[kind])
    model.network.cuda()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="free running goes without")
        found = replayed(model, "cuda")
    for ours, theirs in zip(found, as_written(model, "cuda"), strict=True):
        for part, expected in zip(ours, theirs, strict=True):
            atol = 1e-3 if part.is_floating_point() else 1
            torch.testing.assert_close(part, expected, rtol=0, atol=atol)


@pytest.mark.gpu
def test_predictors_are_pulled_inside_on_a_gpu_as_here() -> None:
    given = predictors(16)
    torch.testing.assert_close(pull_inside(given.cuda(), POLE_LIMIT).cpu(), pull_inside(given, POLE_LIMIT))
