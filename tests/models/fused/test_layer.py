"""Compiled layers against torch's: equal outputs and gradients; the same bits on any number of threads."""

import pytest
import torch
from torch import Tensor, nn

from models.fused.cells import COMPILED_CELLS
from models.fused.choice import weights_of
from models.fused.layer import Call, run_layer, run_layers
from models.recurrent.cells import Cell
from tests.helpers.networks.compiled_layers import (
    case,
    compiled,
    every_cell,
    results_and_gradients,
    threads,
    torchs,
)


@pytest.mark.thinned(6)
@every_cell
@pytest.mark.parametrize(
    ("batch", "steps", "width", "size"),
    [(1, 1, 1, 1), (3, 7, 4, 5), (17, 9, 20, 33), (33, 2, 6, 48), (40, 5, 3, 260)],
)
def test_outputs_and_gradients_are_those_of_torch(
    name: str, batch: int, steps: int, width: int, size: int
) -> None:
    arguments = case(name, batch, steps, width, size)
    ours, expected = (results_and_gradients(run, *arguments) for run in (compiled, torchs))
    for found, right in zip(ours, expected, strict=True):
        assert found.shape == right.shape
        torch.testing.assert_close(found, right, rtol=0, atol=1e-5 * max(1.0, float(right.abs().max())))


@pytest.mark.slow  # compiles all loops for double precision
@every_cell
def test_gradients_are_those_of_differences(name: str) -> None:
    cell, layer, inputs, state = case(name, 2, 3, 2, 3, torch.float64)
    form = COMPILED_CELLS[cell.compiled or ""]
    weights = weights_of(layer)
    present = [weight for weight in weights if weight is not None]

    def of_all(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given = iter(rest[len(state) :])
        own = weights._make(None if weight is None else next(given) for weight in weights)
        hidden, last = run_layer(form, own, inputs, rest[: len(state)])
        return (hidden,) if last is None else (hidden, last)

    assert torch.autograd.gradcheck(of_all, (inputs, *state, *present))
    ours = results_and_gradients(compiled, cell, layer, inputs, state)
    expected = results_and_gradients(torchs, cell, layer, inputs, state)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


@every_cell
def test_bits_depend_neither_on_threads_nor_on_the_batch(name: str) -> None:
    cell, layer, inputs, state = case(name, 37, 6, 5, 21)
    found = []
    for number in (1, 2, 3, 1):
        with threads(number):
            found.append(results_and_gradients(compiled, cell, layer, inputs, state))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    alone = results_and_gradients(compiled, cell, layer, inputs[5:6], tuple(part[5:6] for part in state))
    assert torch.equal(alone[0], found[0][0][5:6])


@every_cell
def test_without_gradients_outputs_are_the_same(name: str) -> None:
    arguments = case(name, 5, 8, 3, 10)
    expected = compiled(*arguments)
    with torch.no_grad():
        found = compiled(*arguments)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@every_cell
def test_graphs_that_live_at_once_share_no_memory(name: str) -> None:
    cell, layer, inputs, state = case(name, 4, 5, 3, 6)
    other = (inputs.detach() + 1).requires_grad_()
    apart = [results_and_gradients(compiled, cell, layer, each, state) for each in (inputs, other)]
    first, second = (compiled(cell, layer, each, state) for each in (inputs, other))
    for each, results, right in ((inputs, first, apart[0]), (other, second, apart[1])):
        assert torch.equal(results[0], right[0])
        weights = torch.sin(torch.arange(results[0].numel())).view(results[0].shape)
        total = (results[0] * weights).sum()
        if len(results) > 1:
            total = total + (results[1] * torch.sin(torch.arange(results[1].numel())).view(4, 6)).sum()
        (found,) = torch.autograd.grad(total, [each])
        assert torch.equal(found, right[len(results)])


@every_cell
def test_a_second_pass_back_gives_the_same_gradients(name: str) -> None:
    cell, layer, inputs, state = case(name, 4, 5, 3, 6)
    total = compiled(cell, layer, inputs, state)[0].square().sum()
    wanted = [inputs, *state, *layer.parameters()]
    first = torch.autograd.grad(total, wanted, retain_graph=True)
    second = torch.autograd.grad(total, wanted)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every_cell
def test_frozen_weights_have_no_gradient_and_change_no_other(name: str) -> None:
    cell, layer, inputs, state = case(name, 3, 4, 3, 6)
    (expected,) = torch.autograd.grad(compiled(cell, layer, inputs, state)[0].sum(), [inputs])
    layer.requires_grad_(False)
    compiled(cell, layer, inputs, state)[0].sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, expected)
    assert all(weight.grad is None for weight in layer.parameters())


@every_cell
def test_several_layers_in_one_pass_have_the_bits_of_each_alone(name: str) -> None:
    cases = [case(name, *shape) for shape in ((3, 7, 4, 5), (2, 9, 4, 5), (1, 3, 6, 8))]
    alone = [results_and_gradients(compiled, *each) for each in cases]
    for number in (1, 2):
        with threads(number):
            together = _results_and_gradients_of_all(cases)
        for ours, expected in zip(together, alone, strict=True):
            assert all(torch.equal(found, right) for found, right in zip(ours, expected, strict=True))


def _results_and_gradients_of_all(
    cases: list[tuple[Cell, nn.Module, Tensor, tuple[Tensor, ...]]],
) -> list[list[Tensor]]:
    form = COMPILED_CELLS[cases[0][0].compiled or ""]
    calls = [Call(weights_of(layer), inputs, state) for _, layer, inputs, state in cases]
    results = [tuple(part for part in result if part is not None) for result in run_layers(form, calls)]
    total = torch.zeros(())
    for result in results:
        total = total + sum(
            (part * torch.sin(torch.arange(part.numel())).view(part.shape)).sum() for part in result
        )
    wanted = [[inputs, *state, *layer.parameters()] for _, layer, inputs, state in cases]
    gradients = iter(torch.autograd.grad(total, [each for own in wanted for each in own]))
    return [
        [*(part.detach() for part in result), *(next(gradients) for _ in own)]
        for result, own in zip(results, wanted, strict=True)
    ]
