"""The predictor is causal, trains every weight, and has the sizes of Chung et al. (2014)."""

import pytest
import torch
from torch import nn

from models.heads import GaussianMixtureHead
from models.predictor import Predictor, hidden_vectors
from models.recurrent.cells import CELLS
from models.recurrent.stack import RecurrentStack

B, T, D_IN, D = 2, 12, 6, 3
every_cell = pytest.mark.parametrize("cell", CELLS)


def predictor_of(cell: str, layers: int = 1) -> Predictor:
    torch.manual_seed(0)
    return Predictor(D_IN, RecurrentStack(cell, D_IN, 16, layers), GaussianMixtureHead(16, D, 4, 1e-3)).eval()


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("changed", [0, 5, T - 1])
@torch.no_grad()
def test_a_distribution_depends_on_all_inputs_so_far_and_on_none_to_come(
    cell: str, layers: int, changed: int
) -> None:
    predictor = predictor_of(cell, layers)
    inputs = torch.randn(B, T, D_IN)
    others = inputs.clone()
    others[:, changed] += 1
    (before, _), (after, _) = (predictor(x, predictor.initial_state(B)) for x in (inputs, others))
    for name in ("logits", "mean", "scale"):
        difference = (getattr(before, name) - getattr(after, name)).abs().flatten(2).sum(-1)
        assert not difference[:, :changed].any()
        assert difference[:, changed].all()
    assert (before.mean - after.mean).abs().flatten(2).sum(-1)[:, changed:].all()


@every_cell
def test_the_loss_of_the_last_step_reaches_the_first_input_and_every_weight(cell: str) -> None:
    predictor = predictor_of(cell, 2)
    inputs = torch.randn(B, T, D_IN, requires_grad=True)
    distribution, _ = predictor(inputs, predictor.initial_state(B))
    distribution.log_prob(torch.randn(B, T, D))[:, -1].sum().backward()
    assert inputs.grad is not None
    assert inputs.grad[:, 0].all()
    for name, weight in predictor.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


@every_cell
@torch.no_grad()
def test_steps_one_by_one_give_the_distributions_of_the_sequence(cell: str) -> None:
    predictor = predictor_of(cell, 2)
    inputs = torch.randn(B, T, D_IN)
    whole, end = predictor(inputs, predictor.initial_state(B))
    state = predictor.initial_state(B)
    for t in range(T):
        one, state = predictor.step(inputs[:, t], state)
        assert one.mean.shape == (B, 4, D)
        torch.testing.assert_close(one.logits, whole.logits[:, t], rtol=0, atol=1e-6)
        torch.testing.assert_close(one.mean, whole.mean[:, t], rtol=0, atol=1e-6)
        torch.testing.assert_close(one.scale, whole.scale[:, t], rtol=1e-5, atol=0)
    torch.testing.assert_close(state, end, rtol=0, atol=1e-6)


PAPER = {"tanh": (400, 168_400), "gru": (227, 168_888), "lstm": (195, 169_065)}
"""Units and recurrent parameters of the paper's models of speech (table 1)."""

GATES = {"tanh": 1, "gru": 3, "lstm": 4}


def speech_model(cell: str, units: int) -> Predictor:
    return Predictor(20, RecurrentStack(cell, 20, units), GaussianMixtureHead(units, 10, 20, 1e-6))


@pytest.mark.parametrize(("cell", "units", "in_paper"), [(name, *sizes) for name, sizes in PAPER.items()])
def test_the_papers_sizes_have_its_number_of_parameters(cell: str, units: int, in_paper: int) -> None:
    """torch's kernels add a second bias to each gate, and lack the LSTM's three peepholes a unit."""
    predictor = speech_model(cell, units)
    peepholes = 3 * units if cell == "lstm" else 0
    second_biases = GATES[cell] * units
    assert GATES[cell] * units * (20 + units + 1) + peepholes == in_paper
    assert predictor.recurrent_parameter_count() == in_paper - peepholes + second_biases
    assert predictor.recurrent_parameter_count() == pytest.approx(in_paper, rel=0.005)


@pytest.mark.parametrize(("cell", "units", "in_paper"), [(name, *sizes) for name, sizes in PAPER.items()])
def test_the_papers_own_cells_have_exactly_its_number_of_parameters(
    cell: str, units: int, in_paper: int
) -> None:
    predictor = speech_model(f"chung2014-{cell}", units)
    assert predictor.recurrent_parameter_count() == in_paper


def test_the_three_models_are_equally_large() -> None:
    counts = [speech_model(cell, units).recurrent_parameter_count() for cell, (units, _) in PAPER.items()]
    assert max(counts) / min(counts) < 1.005


def test_output_dropout_is_before_the_head_and_only_in_training() -> None:
    torch.manual_seed(0)
    predictor = Predictor(
        20, RecurrentStack("gru", 20, 50), GaussianMixtureHead(50, 10, 3, 1e-6), output_dropout=0.4
    )
    inputs, state = torch.randn(4, 30, 20), predictor.initial_state(4)
    whole, _, after = predictor.eval().hidden_vectors(inputs, state)
    dropped, _, kept = predictor.train().hidden_vectors(inputs, state)
    zero = dropped == 0
    assert 0.35 < zero.float().mean().item() < 0.45
    torch.testing.assert_close(dropped[~zero], whole[~zero] / 0.6)
    torch.testing.assert_close(after, kept)


@pytest.mark.parametrize("cell", ["gru", "chung2014-lstm", "mingru"])
def test_several_networks_in_one_pass_have_the_bits_of_each_alone(cell: str) -> None:
    torch.manual_seed(0)
    networks = [
        Predictor(6, RecurrentStack(cell, 12, 5, 2, layer_norm=True, residual=True), nn.Identity(), None, 0.1)
        for _ in range(3)
    ]
    inputs = [torch.randn(2, 20 + n, 7) for n in range(3)]
    states = [tuple(torch.randn_like(part) for part in each.initial_state(2)) for each in networks]
    together = hidden_vectors(networks, inputs, states)
    for network, given, state, (hidden, read, after) in zip(networks, inputs, states, together, strict=True):
        expected, _, end = network.hidden_vectors(given, state)
        assert torch.equal(hidden, expected)
        assert torch.equal(read, given)
        assert all(torch.equal(a, b) for a, b in zip(after, end, strict=True))
