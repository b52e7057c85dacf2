"""Each cell against its equations written out in loops; one step, a split sequence and the whole agree."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.recurrent.cells import CELLS
from models.recurrent.stack import RecurrentStack, State, detach_state, keep_state_where, weight_noise

Array = NDArray[np.float64]
B, T, D, H = 3, 17, 5, 7


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def tanh_cell(x: Array, state: list[Array], w: Array, u: Array, b: Array, c: Array) -> list[Array]:
    return [np.tanh(w @ x + b + u @ state[0] + c)]


def gru_cell(x: Array, state: list[Array], w: Array, u: Array, b: Array, c: Array) -> list[Array]:
    """The reset gate acts after the recurrent product and its bias, the update gate keeps the old state."""
    h = state[0]
    w_r, w_z, w_n = np.split(w, 3)
    u_r, u_z, u_n = np.split(u, 3)
    b_r, b_z, b_n = np.split(b, 3)
    c_r, c_z, c_n = np.split(c, 3)
    r = sigmoid(w_r @ x + b_r + u_r @ h + c_r)
    z = sigmoid(w_z @ x + b_z + u_z @ h + c_z)
    n = np.tanh(w_n @ x + b_n + r * (u_n @ h + c_n))
    return [(1 - z) * n + z * h]


def lstm_cell(x: Array, state: list[Array], w: Array, u: Array, b: Array, c: Array) -> list[Array]:
    h, cell = state
    w_i, w_f, w_g, w_o = np.split(w, 4)
    u_i, u_f, u_g, u_o = np.split(u, 4)
    b_i, b_f, b_g, b_o = np.split(b + c, 4)
    i = sigmoid(w_i @ x + u_i @ h + b_i)
    f = sigmoid(w_f @ x + u_f @ h + b_f)
    o = sigmoid(w_o @ x + u_o @ h + b_o)
    cell = f * cell + i * np.tanh(w_g @ x + u_g @ h + b_g)
    return [o * np.tanh(cell), cell]


Cell = Callable[[Array, list[Array], Array, Array, Array, Array], list[Array]]
REFERENCE: dict[str, Cell] = {"tanh": tanh_cell, "gru": gru_cell, "lstm": lstm_cell}
every_cell = pytest.mark.parametrize("cell", CELLS)


def reference(cell: str, stack: RecurrentStack, inputs: Tensor, state: State) -> tuple[Array, list[Array]]:
    """Outputs (B, T, H) and the state after, sequence by sequence, layer by layer, step by step."""
    weights = {name: weight.detach().numpy() for name, weight in stack.layers.named_parameters()}
    after = [part.clone().numpy() for part in state]
    outputs = np.zeros((len(inputs), inputs.shape[1], stack.hidden_size))
    for sequence, steps in enumerate(inputs.numpy()):
        below = list(steps)
        for layer in range(len(stack.layers)):
            names = (f"{layer}.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            w, u, b, c = (weights[name] for name in names)
            carried = [part[layer, sequence] for part in after]
            above = []
            for x in below:
                carried = REFERENCE[cell](x, carried, w, u, b, c)
                above.append(carried[0])
            for part, value in zip(after, carried, strict=True):
                part[layer, sequence] = value
            below = above
        outputs[sequence] = below
    return outputs, after


def stack_of(cell: str, layers: int = 1, **options: Any) -> RecurrentStack:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, D, H, layers, **options).double()
    for weight in stack.parameters():
        torch.nn.init.normal_(weight, std=0.7)  # wider than usual, so that the gates leave their linear part
    return stack.eval()


def random_state(stack: RecurrentStack, batch: int = B) -> State:
    return tuple(0.5 * torch.randn_like(part) for part in stack.initial_state(batch))


@pytest.mark.parametrize("cell", REFERENCE)  # the cells of Chung et al. (2014): see test_chung2014.py
@pytest.mark.parametrize("layers", [1, 3])
@torch.no_grad()
def test_a_cell_is_its_equations(cell: str, layers: int) -> None:
    stack = stack_of(cell, layers)
    inputs = torch.randn(B, T, D, dtype=torch.float64)
    for state in (stack.initial_state(B), random_state(stack)):
        hidden, after = stack(inputs, state)
        expected, expected_after = reference(cell, stack, inputs, state)
        np.testing.assert_allclose(hidden.numpy(), expected, rtol=0, atol=1e-12)
        assert len(after) == len(expected_after) == (2 if cell == "lstm" else 1)
        for part, expected_part in zip(after, expected_after, strict=True):
            np.testing.assert_allclose(part.numpy(), expected_part, rtol=0, atol=1e-12)


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_steps_one_by_one_are_the_sequence(cell: str, layers: int) -> None:
    stack = stack_of(cell, layers)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(stack)
    hidden, after = stack(inputs, state)
    for t in range(T):
        step, state = stack.step(inputs[:, t], state)
        torch.testing.assert_close(step, hidden[:, t], rtol=0, atol=1e-12)
    torch.testing.assert_close(state, after, rtol=0, atol=1e-12)


@every_cell
@pytest.mark.parametrize("cut", [1, 8, T - 1])
@torch.no_grad()
def test_a_split_sequence_with_its_state_is_the_whole(cell: str, cut: int) -> None:
    stack = stack_of(cell, 2)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(stack)
    hidden, after = stack(inputs, state)
    first, between = stack(inputs[:, :cut], state)
    second, end = stack(inputs[:, cut:], between)
    torch.testing.assert_close(torch.cat([first, second], 1), hidden, rtol=0, atol=1e-12)
    torch.testing.assert_close(end, after, rtol=0, atol=1e-12)
    without, _ = stack(inputs[:, cut:], stack.initial_state(B))
    assert not torch.allclose(without, second, atol=1e-3)


@every_cell
def test_the_empty_state_is_zeros_of_the_weights_kind(cell: str) -> None:
    for kind in (torch.float32, torch.float64):
        state = RecurrentStack(cell, D, H, 2).to(kind).initial_state(4)
        assert all(part.shape == (2, 4, H) and part.dtype == kind and not part.any() for part in state)
        assert len({part.data_ptr() for part in state}) == len(state)


@every_cell
def test_only_the_chosen_lanes_are_emptied(cell: str) -> None:
    stack = stack_of(cell, 2)
    state, fresh = random_state(stack, 4), random_state(stack, 4)
    keep = torch.tensor([True, False, True, False])
    for before, new, after in zip(state, fresh, keep_state_where(state, keep, fresh), strict=True):
        assert torch.equal(after[:, keep], before[:, keep])
        assert torch.equal(after[:, ~keep], new[:, ~keep])


def test_even_a_spoilt_state_is_emptied() -> None:
    spoilt = (torch.full((1, 2, H), torch.nan),)
    (emptied,) = keep_state_where(spoilt, torch.tensor([True, False]), (torch.zeros(1, 2, H),))
    assert not emptied[0, 1].any()


@every_cell
def test_a_detached_state_ends_the_gradients_path(cell: str) -> None:
    stack = stack_of(cell)
    inputs = torch.randn(1, 4, D, dtype=torch.float64, requires_grad=True)
    _, state = stack(inputs[:, :2], stack.initial_state(1))
    carried, _ = stack(inputs[:, 2:], state)
    cut, _ = stack(inputs[:, 2:], detach_state(state))
    torch.testing.assert_close(cut, carried)
    assert torch.autograd.grad(carried.sum(), inputs)[0].abs().sum((0, 2)).all()
    assert torch.autograd.grad(cut.sum(), inputs)[0].abs().sum((0, 2)).bool().tolist() == [0, 0, 1, 1]


def test_dropout_is_between_layers_and_only_in_training() -> None:
    inputs = torch.randn(B, T, D, dtype=torch.float64)
    for layers, differs in ((1, False), (2, True)):
        stack = stack_of("gru", layers, dropout=0.5)
        calm, _ = stack(inputs, stack.initial_state(B))
        assert torch.equal(calm, stack(inputs, stack.initial_state(B))[0])
        stack.train()
        assert torch.equal(calm, stack(inputs, stack.initial_state(B))[0]) is not differs


@every_cell
@torch.no_grad()
def test_layers_are_normalised_and_added_to_what_they_read(cell: str) -> None:
    stack = stack_of(cell, 3, layer_norm=True, residual=True)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(stack)
    outputs, _ = stack(inputs, state)
    below = inputs
    for index, norm in enumerate(stack.norms):
        alone = RecurrentStack(cell, below.shape[-1], H).double()
        alone.layers[0].load_state_dict(stack.layers[index].state_dict())
        hidden, _ = alone(below, tuple(part[index : index + 1] for part in state))
        centred = (hidden - hidden.mean(-1, keepdim=True)) / (
            hidden.var(-1, correction=0, keepdim=True) + 1e-5
        ).sqrt()
        normal = centred * norm.weight + norm.bias
        below = normal + below if index else normal
    torch.testing.assert_close(outputs, below, rtol=0, atol=1e-12)


@every_cell
def test_a_learned_first_state_is_where_every_recording_begins_and_is_trained(cell: str) -> None:
    stack = stack_of(cell, 2, learned_initial_state=True)
    fresh = stack.initial_state(B)
    assert all(part.shape == (2, B, H) and part.all() for part in fresh)
    state = keep_state_where(random_state(stack), torch.tensor([False, True, False]), fresh)
    hidden, _ = stack(torch.randn(B, T, D, dtype=torch.float64), state)
    hidden[:, -1].sum().backward()
    assert stack.start is not None
    assert stack.start.grad is not None
    assert stack.start.grad.abs().sum((2, 3)).all()


@every_cell
def test_weight_noise_is_on_the_matrices_only_and_leaves_no_trace(cell: str) -> None:
    stack = RecurrentStack(cell, 40, 50, 2, layer_norm=True, learned_initial_state=True)
    before = {name: weight.detach().clone() for name, weight in stack.named_parameters()}
    with weight_noise(nn.Sequential(stack), 0.075):
        for name, weight in stack.named_parameters():
            noise = weight.detach() - before[name]
            if "weight_" in name:
                assert float(noise.std()) == pytest.approx(0.075, rel=0.05)
                assert abs(float(noise.mean())) < 0.005
            else:
                assert not noise.any()
    assert all(torch.equal(weight, before[name]) for name, weight in stack.named_parameters())


def test_the_gradient_under_weight_noise_is_that_at_the_noisy_weights() -> None:
    stack, inputs = stack_of("gru"), torch.randn(B, T, D, dtype=torch.float64)
    with weight_noise(stack, 0.3):
        noisy = [weight.detach().clone() for weight in stack.parameters()]
        stack(inputs, stack.initial_state(B))[0].square().sum().backward()
    found = [weight.grad for weight in stack.parameters()]
    there = stack_of("gru")
    for weight, value in zip(there.parameters(), noisy, strict=True):
        weight.data = value
    there(inputs, there.initial_state(B))[0].square().sum().backward()
    torch.testing.assert_close(found, [weight.grad for weight in there.parameters()])


def test_an_unknown_cell_is_named() -> None:
    with pytest.raises(
        ValueError,
        match=r"one of tanh, gru, lstm, chung2014-tanh, chung2014-gru, chung2014-lstm.* not 'elman'",
    ):
        RecurrentStack("elman", D, H)
