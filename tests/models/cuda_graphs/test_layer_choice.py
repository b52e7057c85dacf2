"""When a layer is captured and its graph replayed, and when it runs as written."""

import copy
import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.cuda_graphs import layer as captured
from models.cuda_graphs.layer import CALLS_BEFORE_CAPTURE, MOST_GRAPHS, Steps
from models.fused.choice import torch_kernels
from tests.helpers.networks.recorded_graphs import (
    Recorder,
    T,
    as_written,
    every_cell,
    gradients,
    inputs_of,
    loss_of,
    same,
    stack_of,
    warm,
)


def test_a_rare_shape_is_never_captured_and_few_are_kept(recorder: Recorder) -> None:
    stack = stack_of("chung2014-tanh")
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
    stack = stack_of("chung2014-gru")
    warm(stack)
    loss = loss_of(stack, inputs_of(10))
    with mode():
        for seed in range(CALLS_BEFORE_CAPTURE + 2):
            loss_of(stack, inputs_of(seed))
    assert recorder.replays == 1
    same(torch.autograd.grad(loss, list(stack.parameters())), as_written(stack, inputs_of(10)))


def test_frozen_or_not_in_training_no_graph(recorder: Recorder) -> None:
    for stack in (stack_of("chung2014-gru").eval(), stack_of("chung2014-gru").requires_grad_(False)):
        for seed in range(CALLS_BEFORE_CAPTURE + 2):
            loss_of(stack, inputs_of(seed))
    assert recorder.captures == 0


def test_weights_frozen_after_a_capture_have_a_graph_of_their_own(recorder: Recorder) -> None:
    stack = stack_of("chung2014-gru")
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
    stack = stack_of("chung2014-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    other = stack_of("chung2014-gru")
    with torch.no_grad():
        for weight in other.parameters():
            weight.normal_()
    stack.load_state_dict(other.state_dict())
    assert recorder.places_at >= {weight.data_ptr() for weight in stack.parameters()}, "read where they lie"
    same(gradients(stack, inputs_of(11)), as_written(other, inputs_of(11)))
    assert (recorder.captures, recorder.replays) == (1, 2)


def test_weights_that_moved_drop_the_graphs_and_leave_the_old_memory_alone(recorder: Recorder) -> None:
    stack = stack_of("chung2014-gru")
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
    stack = stack_of("chung2014-gru")
    warm(stack)
    gradients(stack, inputs_of(10))
    stack.float()
    with torch_kernels():  # compiled loops have no graphs
        for seed in range(CALLS_BEFORE_CAPTURE + 1):
            found = gradients(stack, inputs_of(seed).float())
        same(found, as_written(stack, inputs_of(seed).float()))
    assert recorder.captures == 2


def test_a_failed_capture_is_reported_once_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(steps: Steps, places: tuple[Tensor, ...]) -> Steps:
        tries.append(len(places))
        raise RuntimeError("CUDA error: not permitted\nand much more")

    monkeypatch.setattr(captured, "can_capture", lambda _: True)
    monkeypatch.setattr(captured, "record", fail)
    stack = stack_of("chung2014-gru")
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        for seed in range(3 * CALLS_BEFORE_CAPTURE):
            found = gradients(stack, inputs_of(seed, T if seed < CALLS_BEFORE_CAPTURE + 2 else T - 1))
    assert len(tries) == 1
    assert [str(one.message) for one in printed] == [
        "a recurrent layer runs without CUDA graphs: CUDA error: not permitted"
    ]
    same(found, as_written(stack, inputs_of(seed, T - 1)))


def test_nothing_of_it_is_saved_copied_or_outlives_the_layer(recorder: Recorder) -> None:
    stack = stack_of("chung2014-lstm")
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
