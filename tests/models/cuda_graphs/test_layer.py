"""Replayed graphs give the numbers and gradients of the loop as written, whatever the order of calls."""

import copy
import warnings

import pytest
import torch
from torch import Tensor

from models.cuda_graphs import layer as captured
from models.cuda_graphs.layer import CALLS_BEFORE_CAPTURE
from models.recurrent.stack import RecurrentStack
from tests.helpers.networks.recorded_graphs import (
    B,
    Recorder,
    as_written,
    every_cell,
    gradients,
    inputs_of,
    loss_of,
    same,
    stack_of,
    trained,
    warm,
)


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
    stack = stack_of("chung2014-gru")
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    del loss
    same(gradients(stack, inputs_of(11)), as_written(stack, inputs_of(11)))
    assert recorder.replays == 2


def test_a_loss_that_is_kept_after_backward_does_not_block_the_graph(recorder: Recorder) -> None:
    stack = stack_of("chung2014-gru")
    warm(stack)
    losses = []
    for seed in range(3):
        losses.append(loss_of(stack, inputs_of(seed)))
        losses[-1].backward()
    assert recorder.replays == 3


def test_a_retained_graph_can_go_back_again_after_another_forward(recorder: Recorder) -> None:
    stack = stack_of("chung2014-gru")
    weights = list(stack.parameters())
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    gradients(stack, inputs_of(11))
    assert recorder.replays == 1
    same(torch.autograd.grad(loss, weights), first)
    same(first, as_written(stack, inputs_of(10)))


def test_a_second_backward_is_rejected_as_it_is_everywhere(recorder: Recorder) -> None:
    stack = stack_of("chung2014-gru")
    warm(stack)
    hidden, _ = stack(inputs_of(10), stack.initial_state(B))
    hidden.backward(torch.ones_like(hidden))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        hidden.backward(torch.ones_like(hidden))
    assert recorder.replays == 1


def test_gradients_add_up_over_updates(recorder: Recorder) -> None:
    """A parameter's gradient is its own memory, never the graph's, which the next backward overwrites."""
    stack = stack_of("chung2014-lstm")
    warm(stack)
    for seed in (10, 11):
        loss_of(stack, inputs_of(seed)).backward()
    assert recorder.replays == 2
    pairs = zip(as_written(stack, inputs_of(10)), as_written(stack, inputs_of(11)), strict=True)
    same([part.grad for part in stack.parameters()], [one + other for one, other in pairs])


def test_inputs_have_their_gradient(recorder: Recorder) -> None:
    stack = stack_of("chung2014-lstm")
    for seed in range(CALLS_BEFORE_CAPTURE + 2):
        inputs = inputs_of(seed).requires_grad_()
        loss_of(stack, inputs).backward()
    assert recorder.replays == 2
    again = inputs.detach().clone().requires_grad_()
    loss_of(copy.deepcopy(stack), again).backward()
    same(inputs.grad, again.grad)


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
