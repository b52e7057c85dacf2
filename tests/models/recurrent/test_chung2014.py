"""The cells of Chung et al. (2014) against their equations in slow loops; gradients against differences."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from models.recurrent.chung2014 import Chung2014Cell, OneBiasTanh, PeepholeLSTM, ResetBeforeGRU

B, T, D, H = 3, 6, 4, 5
Step = Callable[[Chung2014Cell, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def tanh_step(cell: Chung2014Cell, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (torch.tanh(x @ cell.weight_ih.T + state[0] @ cell.weight_hh.T + cell.bias),)


def gru_step(cell: Chung2014Cell, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = state
    w_r, w_z, w_g = cell.weight_ih.split(cell.hidden_size)
    u_r, u_z, u_g = cell.weight_hh.split(cell.hidden_size)
    b_r, b_z, b_g = cell.bias.split(cell.hidden_size)
    r = torch.sigmoid(x @ w_r.T + h @ u_r.T + b_r)
    z = torch.sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    g = torch.tanh(x @ w_g.T + (r * h) @ u_g.T + b_g)
    return ((1 - z) * h + z * g,)


def lstm_step(cell: Chung2014Cell, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    assert isinstance(cell, PeepholeLSTM)
    h, c = state
    w_i, w_f, w_g, w_o = cell.weight_ih.split(cell.hidden_size)
    u_i, u_f, u_g, u_o = cell.weight_hh.split(cell.hidden_size)
    b_i, b_f, b_g, b_o = cell.bias.split(cell.hidden_size)
    v_i, v_f, v_o = (torch.diag(row) for row in cell.peephole)
    i = torch.sigmoid(x @ w_i.T + h @ u_i.T + c @ v_i + b_i)
    f = torch.sigmoid(x @ w_f.T + h @ u_f.T + c @ v_f + b_f)
    c = f * c + i * torch.tanh(x @ w_g.T + h @ u_g.T + b_g)
    o = torch.sigmoid(x @ w_o.T + h @ u_o.T + c @ v_o + b_o)
    return o * torch.tanh(c), c


STEPS: dict[type[Chung2014Cell], Step] = {
    OneBiasTanh: tanh_step,
    ResetBeforeGRU: gru_step,
    PeepholeLSTM: lstm_step,
}
every_cell = pytest.mark.parametrize("kind", STEPS)


def cell_of(kind: type[Chung2014Cell], hidden_size: int = H) -> Chung2014Cell:
    torch.manual_seed(0)
    cell = kind(D, hidden_size).double()
    for weight in cell.parameters():
        torch.nn.init.normal_(weight, std=0.7)  # wider than usual, so that the gates leave their linear part
    return cell


def random_state(cell: Chung2014Cell, batch: int = B) -> tuple[Tensor, ...]:
    parts = 2 if isinstance(cell, PeepholeLSTM) else 1
    return tuple(0.5 * torch.randn(1, batch, cell.hidden_size).to(cell.bias.dtype) for _ in range(parts))


def run(cell: Chung2014Cell, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Outputs and the parts of the state after, whichever the cell."""
    outputs, after = cell(inputs, state if isinstance(cell, PeepholeLSTM) else state[0])
    return outputs, *(after if isinstance(cell, PeepholeLSTM) else (after,))


def reference(cell: Chung2014Cell, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What `run` gives, by the equations, step by step."""
    outputs = []
    state = tuple(part[0] for part in state)
    for x in inputs.unbind(1):
        state = STEPS[type(cell)](cell, x, state)
        outputs.append(state[0])
    return torch.stack(outputs, 1), *(part[None] for part in state)


def gradients(results: tuple[Tensor, ...], wanted: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Of a sum in which each number of each result counts differently."""
    total = sum(
        (part * torch.linspace(-1, 2, part.numel(), device=part.device).view(part.shape)).sum()
        for part in results
    )
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, wanted)


@every_cell
@pytest.mark.parametrize("steps", [1, 2, T])
@pytest.mark.parametrize("batch", [1, B])
def test_a_cell_and_its_gradients_are_the_equations(
    kind: type[Chung2014Cell], steps: int, batch: int
) -> None:
    cell = cell_of(kind)
    inputs = torch.randn(batch, steps, D, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(cell, batch))
    ours, expected = run(cell, inputs, state), reference(cell, inputs, state)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    wanted = [inputs, *state, *cell.parameters()]
    torch.testing.assert_close(gradients(ours, wanted), gradients(expected, wanted), rtol=0, atol=1e-11)


@every_cell
def test_gradients_are_those_of_differences(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    names = [name for name, _ in cell.named_parameters()]
    inputs = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(cell))

    def of_all(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        parts, weights = rest[: len(state)], rest[len(state) :]
        form = parts if isinstance(cell, PeepholeLSTM) else parts[0]
        weights_by_name = dict(zip(names, weights, strict=True))
        outputs, after = torch.func.functional_call(cell, weights_by_name, (inputs, form))
        return outputs, *(after if isinstance(cell, PeepholeLSTM) else (after,))

    assert torch.autograd.gradcheck(of_all, (inputs, *state, *cell.parameters()))


@every_cell
def test_each_result_alone_has_its_gradients(kind: type[Chung2014Cell]) -> None:
    """A loss on the last state alone, or on the cell alone, reaches everything that it depends on."""
    cell = cell_of(kind)
    inputs = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(cell))
    wanted = [inputs, *state, *cell.parameters()]
    for which in range(1 + len(state)):
        ours, expected = run(cell, inputs, state)[which], reference(cell, inputs, state)[which]
        torch.testing.assert_close(
            gradients((ours,), wanted), gradients((expected,), wanted), rtol=0, atol=1e-11
        )


@every_cell
def test_gradients_are_computed_only_where_wanted(kind: type[Chung2014Cell]) -> None:
    """The same numbers with some weights frozen and no gradient for inputs and state."""
    cell = cell_of(kind)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(cell)
    whole = gradients(run(cell, inputs, state), list(cell.parameters()))
    for weight, expected in zip(cell.parameters(), whole, strict=True):
        cell.requires_grad_(False)
        weight.requires_grad_()
        (alone,) = gradients(run(cell, inputs, state), [weight])
        assert torch.equal(alone, expected)


@every_cell
@torch.inference_mode()
def test_steps_one_by_one_and_a_split_are_the_sequence(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind).float()
    inputs, state = torch.randn(B, T, D), random_state(cell)
    whole, *end = run(cell, inputs, state)
    for cut in (1, 4, T - 1):
        first, *between = run(cell, inputs[:, :cut], state)
        second, *after = run(cell, inputs[:, cut:], tuple(between))
        torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-6)
        torch.testing.assert_close(after, end, rtol=0, atol=1e-6)
    for t in range(T):
        out, *parts = run(cell, inputs[:, t : t + 1], state)
        state = tuple(parts)
        torch.testing.assert_close(out[:, 0], whole[:, t], rtol=0, atol=1e-6)
    torch.testing.assert_close(list(state), end, rtol=0, atol=1e-6)


@every_cell
def test_gradients_go_through_the_state_of_a_split(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    inputs = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(cell))
    wanted = [inputs, *state, *cell.parameters()]
    first, *between = run(cell, inputs[:, :2], state)
    second, *end = run(cell, inputs[:, 2:], tuple(between))
    joined = gradients((torch.cat([first, second], 1), *end), wanted)
    torch.testing.assert_close(joined, gradients(run(cell, inputs, state), wanted), rtol=0, atol=1e-12)


@every_cell
def test_memory_order_does_not_matter(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(cell)
    wide = torch.randn(T, D + 3, B, dtype=torch.float64)
    wide[:, 1 : D + 1] = inputs.permute(1, 2, 0)
    odd = wide[:, 1 : D + 1].permute(2, 0, 1)
    odd_state = tuple(torch.stack([part, part], -1)[..., 1] for part in state)
    assert not odd.is_contiguous()
    assert not odd_state[0].is_contiguous()
    wanted = list(cell.parameters())
    plain, other = run(cell, inputs, state), run(cell, odd, odd_state)
    torch.testing.assert_close(other, plain, rtol=0, atol=1e-14)
    torch.testing.assert_close(gradients(other, wanted), gradients(plain, wanted), rtol=0, atol=1e-12)


@every_cell
def test_runs_repeat_to_the_bit(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind, 195).float()
    inputs = torch.randn(64, 12, D)
    state = random_state(cell, 64)
    results = []
    for _ in range(3):
        parts = run(cell, inputs, state)
        results.append((*parts, *gradients(parts, list(cell.parameters()))))
    for again in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], again, strict=True))


@every_cell
def test_without_gradients_the_numbers_are_the_same_and_nothing_is_kept(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(cell)
    given = inputs.clone(), *(part.clone() for part in state)
    expected = run(cell, inputs, state)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            results = run(cell, inputs, state)
        assert all(torch.equal(one, other) for one, other in zip(results, expected, strict=True))
        assert not any(part.requires_grad or part.grad_fn for part in results)
        kept = sum(part.untyped_storage().nbytes() for part in results[1:])
        assert kept == sum(part.nbytes for part in state), "a state must not hold the sequence's memory"
    assert all(torch.equal(one, other) for one, other in zip((inputs, *state), given, strict=True))


@every_cell
def test_mixed_precision_computes_in_the_type_of_the_weights(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind).float()
    inputs, state = torch.randn(B, T, D, dtype=torch.bfloat16), random_state(cell)
    plain = run(cell, inputs.float(), state)
    expected = gradients(plain, list(cell.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(cell, inputs, state)
        found = gradients(mixed, list(cell.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(mixed, plain, strict=True))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("kind", "units", "in_paper"),
    [(OneBiasTanh, 400, 168_400), (ResetBeforeGRU, 227, 168_888), (PeepholeLSTM, 195, 169_065)],
)
def test_the_papers_sizes_have_exactly_its_number_of_parameters(
    kind: type[Chung2014Cell], units: int, in_paper: int
) -> None:
    assert sum(weight.numel() for weight in kind(20, units).parameters()) == in_paper


@every_cell
def test_first_weights_are_the_papers(kind: type[Chung2014Cell]) -> None:
    torch.manual_seed(1)
    cell = kind(50, 40)
    assert 0.099 < cell.weight_ih.abs().max() <= 0.1
    assert abs(float(cell.weight_ih.detach().mean())) < 0.01
    blocks = cell.weight_hh.view(-1, 40, 40)
    assert len(blocks) == cell.gates
    for block in blocks:
        torch.testing.assert_close(block @ block.T, torch.eye(40), rtol=0, atol=1e-5)
    assert len({block[0, 0].item() for block in blocks}) == cell.gates
    assert not cell.bias.any()


@every_cell
def test_gradients_of_gradients_are_rejected(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    inputs = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    outputs, *_ = run(cell, inputs, random_state(cell))
    (first,) = torch.autograd.grad(outputs.square().sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@every_cell
def test_wrong_shapes_are_named(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    state = random_state(cell)
    with pytest.raises(ValueError, match=r"inputs must be \(B, T > 0, 4\) .* not \(3, 6, 5\)"):
        run(cell, torch.randn(B, T, D + 1), state)
    with pytest.raises(ValueError, match=r"not \(3, 0, 4\)"):
        run(cell, torch.randn(B, 0, D), state)
    with pytest.raises(ValueError, match=r"a state must be \(1, 2, 5\) here, not \(1, 3, 5\)"):
        run(cell, torch.randn(2, T, D), state)


@pytest.mark.gpu
@every_cell
def test_a_gpu_gives_the_same_numbers(kind: type[Chung2014Cell]) -> None:
    cell = cell_of(kind)
    inputs, state = torch.randn(B, T, D, dtype=torch.float64), random_state(cell)
    expected = run(cell, inputs, state)
    expected = (*expected, *gradients(expected, list(cell.parameters())))
    cell.cuda()
    found = run(cell, inputs.cuda(), tuple(part.cuda() for part in state))
    found = (*found, *gradients(found, list(cell.parameters())))
    torch.testing.assert_close([part.cpu() for part in found], list(expected), rtol=0, atol=1e-10)
