"""Replayed graphs give the numbers and gradients of the loop as written, whatever the order of calls.

Without a GPU a stand-in takes the place of CUDA graphs. It computes with the real cells, but treats memory as
`torch.cuda.make_graphed_callables` does: one place for inputs, results and gradients, and what backward needs
is that of the last forward. So a replay at a wrong moment gives wrong numbers here too.
"""

import copy
import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from models import captured
from models.captured import CALLS_BEFORE_CAPTURE, MOST_GRAPHS, Steps
from models.recurrent import RecurrentStack, State, detach_state, weight_noise

B, T, D, H = 3, 6, 4, 5
CELLS = ("study-tanh", "study-gru", "study-lstm")
every_cell = pytest.mark.parametrize("cell", CELLS)


class Recorder:
    """Captures as `captured.record` does, with the places of memory played out on the CPU."""

    def __init__(self) -> None:
        self.captures = 0
        self.replays = 0
        self.places_at: set[int] = set()

    def __call__(self, steps: Steps, places: tuple[Tensor, ...]) -> Steps:
        self.captures += 1
        self.places_at = {part.data_ptr() for part in places}
        count = self
        last: list[tuple[Tensor, ...]] = []

        def computed() -> tuple[Tensor, ...]:
            with torch.enable_grad():
                results = steps(*places)
            return (results,) if isinstance(results, Tensor) else results

        single = isinstance(steps(*places), Tensor)
        result_places = [part.detach().clone() for part in computed()]
        grad_places = [torch.empty_like(part) if part.requires_grad else None for part in places]

        class Replay(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
                count.replays += 1
                for place, part in zip(places, tensors, strict=True):
                    if place.data_ptr() != part.data_ptr():
                        place.copy_(part)
                last[:] = [computed()]
                for place, part in zip(result_places, last[0], strict=True):
                    place.copy_(part.detach())
                return tuple(place.detach() for place in result_places)

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
                wanted = [part for part in places if part.requires_grad]
                found = iter(torch.autograd.grad(last[0], wanted, grads, retain_graph=True))
                for place in grad_places:
                    if place is not None:
                        place.copy_(next(found))
                return tuple(None if place is None else place.detach() for place in grad_places)

        def replay(*tensors: Tensor) -> Any:
            apply: Steps = Replay.apply
            results = apply(*tensors)
            return results[0] if single else results

        return replay


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Training on the CPU captures, as it does on a GPU."""
    recorder = Recorder()
    monkeypatch.setattr(captured, "can_capture", lambda _: True)
    monkeypatch.setattr(captured, "record", recorder)
    return recorder


def stack_of(cell: str, layers: int = 1) -> RecurrentStack:
    torch.manual_seed(0)
    return RecurrentStack(cell, D, H, layers).double()


def inputs_of(seed: int, steps: int = T) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(B, steps, D, dtype=torch.float64, generator=random)


def loss_of(stack: RecurrentStack, inputs: Tensor, state: State | None = None) -> Tensor:
    """A sum in which each number of outputs and state after counts differently."""
    hidden, after = stack(inputs, state or stack.initial_state(len(inputs)))
    parts = [(part * torch.linspace(-1, 2, part.numel()).view(part.shape)).sum() for part in (hidden, *after)]
    return torch.stack(parts).sum()


def gradients(stack: RecurrentStack, inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss_of(stack, inputs), list(stack.parameters()))


def as_written(stack: RecurrentStack, inputs: Tensor) -> tuple[Tensor, ...]:
    """The gradients without any capture: a copy of the stack never trained before."""
    return gradients(copy.deepcopy(stack), inputs)


def same(ours: Any, expected: Any) -> None:
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def warm(stack: RecurrentStack, steps: int = T) -> None:
    """As many updates as it takes until the next one of this shape is captured."""
    for seed in range(CALLS_BEFORE_CAPTURE):
        gradients(stack, inputs_of(seed, steps))


def trained(
    stack: RecurrentStack, device: torch.device, updates: int, noise: float
) -> Iterator[tuple[Tensor, ...]]:
    """Of each update with a carried state: outputs, state after, gradients and weights."""
    optimizer = torch.optim.SGD(stack.parameters(), 0.01)
    state = stack.initial_state(B)
    for seed in range(updates):
        torch.manual_seed(seed)
        inputs = inputs_of(seed).to(device)
        with weight_noise(stack, noise):
            hidden, after = stack(inputs, state)
            optimizer.zero_grad(set_to_none=True)
            (hidden.square().sum() + after[-1].sum()).backward()
        optimizer.step()
        state = detach_state(after)
        grads = (part.grad for part in stack.parameters() if part.grad is not None)
        yield hidden.detach(), *state, *grads, *(part.detach().clone() for part in stack.parameters())


@every_cell
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_training_is_the_same(cell: str, noise: float, recorder: Recorder) -> None:
    """Two layers, a carried state, weights that an optimiser and noise change in place. What an update gave
    is compared at the very end, so nothing of it may lie in memory that a later replay overwrote."""
    stack, updates = stack_of(cell, 2), 9
    plain = copy.deepcopy(stack)
    ours = list(trained(stack, torch.device("cpu"), updates, noise))
    assert recorder.captures == 2
    assert recorder.replays == 2 * (updates - CALLS_BEFORE_CAPTURE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "can_capture", lambda _: False)
        expected = list(trained(plain, torch.device("cpu"), updates, noise))
    same(ours, expected)


@every_cell
def test_a_second_forward_before_backward_leaves_the_first_one_alone(cell: str, recorder: Recorder) -> None:
    stack = stack_of(cell)
    warm(stack)
    first, second = loss_of(stack, inputs_of(10)), loss_of(stack, inputs_of(11))
    assert recorder.replays == 1
    (first + second).backward()
    pairs = zip(as_written(stack, inputs_of(10)), as_written(stack, inputs_of(11)), strict=True)
    same([part.grad for part in stack.parameters()], [one + other for one, other in pairs])
    gradients(stack, inputs_of(12))
    assert recorder.replays == 2, "backward is done: the graph serves again"


@every_cell
def test_a_state_that_leads_back_into_a_replay_has_its_gradient(cell: str, recorder: Recorder) -> None:
    """The same layer twice in a row, the second time from where the first ended."""

    def joined(stack: RecurrentStack) -> tuple[Tensor, ...]:
        _, between = stack(inputs_of(10), stack.initial_state(B))
        return torch.autograd.grad(loss_of(stack, inputs_of(11), between), list(stack.parameters()))

    stack = stack_of(cell)
    state = tuple(part.requires_grad_() for part in stack.initial_state(B))
    for seed in range(CALLS_BEFORE_CAPTURE):  # the shape of the second call, a state with a gradient
        loss_of(stack, inputs_of(seed), state).backward()
    for _ in range(2):
        same(joined(stack), joined(copy.deepcopy(stack)))
    gradients(stack, inputs_of(12))
    assert recorder.captures == 0, "shapes in turn are not captured"


def test_a_forward_whose_loss_is_thrown_away_does_not_block_the_graph(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    del loss
    same(gradients(stack, inputs_of(11)), as_written(stack, inputs_of(11)))
    assert recorder.replays == 2


def test_a_loss_that_is_kept_after_backward_does_not_block_the_graph(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    losses = []
    for seed in range(3):
        losses.append(loss_of(stack, inputs_of(seed)))
        losses[-1].backward()
    assert recorder.replays == 3


def test_a_retained_graph_can_go_back_again_after_another_forward(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    weights = list(stack.parameters())
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    gradients(stack, inputs_of(11))
    assert recorder.replays == 1
    same(torch.autograd.grad(loss, weights), first)
    same(first, as_written(stack, inputs_of(10)))


def test_a_second_backward_is_refused_as_it_is_everywhere(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    hidden, _ = stack(inputs_of(10), stack.initial_state(B))
    hidden.backward(torch.ones_like(hidden))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        hidden.backward(torch.ones_like(hidden))
    assert recorder.replays == 1


def test_gradients_add_up_over_updates(recorder: Recorder) -> None:
    """A parameter's gradient is its own memory, never the graph's, which the next backward overwrites."""
    stack = stack_of("study-lstm")
    warm(stack)
    for seed in (10, 11):
        loss_of(stack, inputs_of(seed)).backward()
    assert recorder.replays == 2
    pairs = zip(as_written(stack, inputs_of(10)), as_written(stack, inputs_of(11)), strict=True)
    same([part.grad for part in stack.parameters()], [one + other for one, other in pairs])


def test_inputs_have_their_gradient(recorder: Recorder) -> None:
    stack = stack_of("study-lstm")
    for seed in range(CALLS_BEFORE_CAPTURE + 2):
        inputs = inputs_of(seed).requires_grad_()
        loss_of(stack, inputs).backward()
    assert recorder.replays == 2
    again = inputs.detach().clone().requires_grad_()
    loss_of(copy.deepcopy(stack), again).backward()
    same(inputs.grad, again.grad)


def test_a_rare_shape_is_never_captured_and_few_are_kept(recorder: Recorder) -> None:
    stack = stack_of("study-tanh")
    for _ in range(3 * CALLS_BEFORE_CAPTURE):  # epochs of two updates and a shorter one
        for steps in (T, T, T - 1):
            gradients(stack, inputs_of(0, steps))
    assert recorder.captures == 0
    for steps in range(1, MOST_GRAPHS + 3):
        for seed in range(CALLS_BEFORE_CAPTURE + 2):
            found = gradients(stack, inputs_of(seed, steps))
        same(found, as_written(stack, inputs_of(seed, steps)))
    assert recorder.captures == MOST_GRAPHS


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_gradient_no_graph(mode: Callable[[], Any], recorder: Recorder) -> None:
    """A pass without gradients leaves a replay that waits for its backward alone."""
    stack = stack_of("study-gru")
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    with mode():
        for seed in range(CALLS_BEFORE_CAPTURE + 2):
            loss_of(stack, inputs_of(seed))
    assert recorder.replays == 1
    same(torch.autograd.grad(loss, list(stack.parameters())), as_written(stack, inputs_of(10)))


def test_frozen_or_not_in_training_no_graph(recorder: Recorder) -> None:
    for stack in (stack_of("study-gru").eval(), stack_of("study-gru").requires_grad_(False)):
        for seed in range(CALLS_BEFORE_CAPTURE + 2):
            loss_of(stack, inputs_of(seed))
    assert recorder.captures == 0


def test_weights_frozen_after_a_capture_have_a_graph_of_their_own(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    next(stack.parameters()).requires_grad_(False)
    for seed in range(CALLS_BEFORE_CAPTURE + 2):
        stack.zero_grad()
        loss_of(stack, inputs_of(seed)).backward()
    assert recorder.captures == 2
    plain = copy.deepcopy(stack)
    plain.zero_grad()
    loss_of(plain, inputs_of(seed)).backward()
    same([part.grad for part in stack.parameters()], [part.grad for part in plain.parameters()])


def test_loaded_weights_are_seen_without_a_new_capture(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    other = stack_of("study-gru")
    with torch.no_grad():
        for weight in other.parameters():
            weight.normal_()
    stack.load_state_dict(other.state_dict())
    assert recorder.places_at >= {weight.data_ptr() for weight in stack.parameters()}, "read where they lie"
    same(gradients(stack, inputs_of(11)), as_written(other, inputs_of(11)))
    assert (recorder.captures, recorder.replays) == (1, 2)


def test_weights_that_moved_drop_the_graphs_and_leave_the_old_memory_alone(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    old = [weight.data for weight in stack.parameters()]
    before = [part.clone() for part in old]
    for weight in stack.parameters():
        weight.data = torch.randn_like(weight)
    for seed in range(CALLS_BEFORE_CAPTURE + 1):
        same(gradients(stack, inputs_of(seed)), as_written(stack, inputs_of(seed)))
    assert recorder.captures == 2
    assert all(torch.equal(part, earlier) for part, earlier in zip(old, before, strict=True))


def test_another_type_of_weights_drops_the_graphs(recorder: Recorder) -> None:
    stack = stack_of("study-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    stack.float()
    for seed in range(CALLS_BEFORE_CAPTURE + 1):
        found = gradients(stack, inputs_of(seed).float())
    same(found, as_written(stack, inputs_of(seed).float()))
    assert recorder.captures == 2


def test_a_failed_capture_is_said_once_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(steps: Steps, places: tuple[Tensor, ...]) -> Steps:
        tries.append(len(places))
        raise RuntimeError("CUDA error: not permitted\nand much more")

    monkeypatch.setattr(captured, "can_capture", lambda _: True)
    monkeypatch.setattr(captured, "record", fail)
    stack = stack_of("study-gru")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for seed in range(3 * CALLS_BEFORE_CAPTURE):
            found = gradients(stack, inputs_of(seed, T if seed < CALLS_BEFORE_CAPTURE + 2 else T - 1))
    assert len(tries) == 1
    assert [str(one.message) for one in said] == [
        "a recurrent layer runs without CUDA graphs: CUDA error: not permitted"
    ]
    same(found, as_written(stack, inputs_of(seed, T - 1)))


def test_nothing_of_it_is_saved_copied_or_outlives_the_layer(recorder: Recorder) -> None:
    stack = stack_of("study-lstm")
    names, parts = list(stack.state_dict()), list(stack.modules())
    warm(stack)
    gradients(stack, inputs_of(10))
    layer = stack.layers[0]
    assert captured._graphs_of_layer[layer].graphs
    assert list(stack.state_dict()) == names
    assert list(stack.modules()) == parts
    assert copy.deepcopy(layer) not in captured._graphs_of_layer
    gone = weakref.ref(captured._graphs_of_layer[layer])
    del stack, layer, parts
    gc.collect()
    assert gone() is None


@every_cell
def test_a_cpu_never_captures(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "record", lambda *_: pytest.fail("captured on a CPU"))
    stack = stack_of(cell)
    for seed in range(CALLS_BEFORE_CAPTURE + 2):
        gradients(stack, inputs_of(seed))
    assert not set(stack.modules()) & set(captured._graphs_of_layer)


@pytest.mark.gpu
@every_cell
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_on_a_gpu_a_training_is_the_same(cell: str, noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda", torch.cuda.current_device())
    stack = stack_of(cell, 2).to(gpu)
    plain = copy.deepcopy(stack)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a capture that fails warns
        ours = list(trained(stack, gpu, 12, noise))
    assert [len(captured._graphs_of_layer[layer].graphs) for layer in stack.layers] == [1, 1]
    monkeypatch.setattr(captured, "can_capture", lambda _: False)
    expected = list(trained(plain, gpu, 12, noise))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)


@pytest.mark.gpu
@every_cell
def test_on_a_gpu_two_forwards_and_moved_weights_have_their_gradients(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = torch.device("cuda", torch.cuda.current_device())
    stack = stack_of(cell).to(gpu)

    def both(part: RecurrentStack) -> list[Tensor]:
        hidden = [part(inputs_of(seed).to(gpu), part.initial_state(B))[0] for seed in (10, 11)]
        total = hidden[0].square().sum() + hidden[1].sum()
        return [*hidden, *torch.autograd.grad(total, list(part.parameters()))]

    for round_number in range(4 * CALLS_BEFORE_CAPTURE):
        if round_number == 2 * CALLS_BEFORE_CAPTURE:
            stack.cpu().to(gpu)
        ours = both(stack)
        with monkeypatch.context() as patch:
            patch.setattr(captured, "can_capture", lambda _: False)
            expected = both(stack)
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
    assert len(captured._graphs_of_layer[stack.layers[0]].graphs) == 1
