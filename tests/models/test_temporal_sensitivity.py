"""The sensitivity is the gradient's norm. It decays by a tanh layer's weight; a gate can keep it constant."""

import math

import pytest
import torch
from torch import Tensor

from models.convolution import ConvolutionFrontend
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.heads import GaussianMixtureHead
from models.predictor import Predictor
from models.recurrent.cells import CELLS
from models.recurrent.stack import RecurrentStack
from models.temporal_sensitivity import SequenceModel, sensitivity

B, T, D_IN, D = 3, 7, 4, 2


def predictor_of(recurrent: RecurrentStack) -> Predictor:
    return Predictor(D_IN, recurrent, GaussianMixtureHead(recurrent.hidden_size, D, 2, 1e-3)).double()


def data_of(steps: int = T) -> tuple[Tensor, Tensor]:
    return torch.randn(B, steps, D_IN).double(), torch.randn(B, steps, D).double()


def brute_force(
    model: SequenceModel, inputs: Tensor, targets: Tensor, ends: list[int], max_distance: int, fixed: int = 0
) -> Tensor:
    """From central differences, one input value after the other."""
    nudge = 1e-5

    @torch.no_grad()
    def log_prob(values: Tensor) -> Tensor:
        return model(values, model.initial_state(B))[0].log_prob(targets)

    gradient = torch.zeros(B, T, *inputs.shape[1:]).double()
    for step in range(T):
        for value in range(fixed, D_IN):
            shift = torch.zeros_like(inputs)
            shift[:, step, value] = nudge
            difference = log_prob(inputs + shift) - log_prob(inputs - shift)
            gradient[:, :, step, value] = difference / (2 * nudge)
    norms = gradient.norm(dim=-1)
    rows = [[norms[b, t, t - k] for b in range(B) for t in ends] for k in range(max_distance + 1)]
    return torch.tensor(
        [math.sqrt(sum(float(norm) ** 2 for norm in row) / len(row)) for row in rows]
    ).double()


@pytest.mark.thinned(2)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("max_distance", "target_steps", "ends"), [(3, 9, [3, 4, 5, 6]), (6, 4, [6]), (2, 3, [2, 4, 6])]
)
def test_it_is_the_norm_of_the_gradient(
    cell: str, max_distance: int, target_steps: int, ends: list[int]
) -> None:
    torch.manual_seed(0)
    model = predictor_of(RecurrentStack(cell, D_IN, 5, 2))
    inputs, targets = data_of()
    values = sensitivity(model, inputs, targets, max_distance, target_steps)
    assert values.dtype == torch.float64
    expected = brute_force(model, inputs, targets, ends, max_distance)
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-9)
    assert expected.all()


def test_fixed_inputs_have_no_part_in_it() -> None:
    torch.manual_seed(0)
    model = predictor_of(RecurrentStack("gru", D_IN, 5, 2))
    inputs, targets = data_of()
    values = sensitivity(model, inputs, targets, 3, 9, fixed=1)
    torch.testing.assert_close(
        values, brute_force(model, inputs, targets, [3, 4, 5, 6], 3, 1), rtol=1e-6, atol=1e-9
    )
    assert (values < sensitivity(model, inputs, targets, 3, 9)).all()


def test_it_measures_convolutions_and_encoder_decoders_too() -> None:
    torch.manual_seed(0)
    frontend = ConvolutionFrontend(2, 2, 1, [(3, 3, 2)])
    convolutional = Predictor(
        D_IN, RecurrentStack("gru", 3, 5), GaussianMixtureHead(5, D, 2, 1e-3), frontend
    ).double()
    head = GaussianMixtureHead(5, D, 2, 1e-3)
    blockwise = EncoderDecoder(D_IN, 1, "chung2014-gru", 5, 1, 0.0, head, decode_steps=3, attention_steps=2)
    inputs, targets = data_of()
    for model in (convolutional, blockwise.double()):
        values = sensitivity(model, inputs, targets, 4, 3)
        expected = brute_force(model, inputs, targets, [4, 5, 6], 4)
        torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("cell", ["tanh", "chung2014-tanh"])
@pytest.mark.parametrize("weight", [0.5, -0.1])
def test_through_a_tanh_layer_it_falls_by_the_recurrent_weight_each_step(cell: str, weight: float) -> None:
    """Of weak inputs, where tanh is the identity."""
    torch.manual_seed(0)
    model = predictor_of(RecurrentStack(cell, D_IN, 5))
    with torch.no_grad():
        for name, values in model.recurrent.layers[0].named_parameters():
            if "weight_hh" in name:
                values.copy_(weight * torch.eye(5).double())
            elif "bias" in name:
                values.zero_()
    inputs, targets = data_of(60)
    curve = sensitivity(model, 1e-6 * inputs, targets, 40)
    expected = curve[0] * abs(weight) ** torch.arange(41).double()
    assert curve[0] > 0.01
    torch.testing.assert_close(curve, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("cell", "closed"), [("gru", 12.0), ("chung2014-gru", -12.0)])
def test_a_gate_that_keeps_the_state_keeps_it(cell: str, closed: float) -> None:
    """An update gate of bias 12 lets 6 millionths of a state go each step."""
    torch.manual_seed(0)
    stack = RecurrentStack(cell, D_IN, 5)
    biases = [values for name, values in stack.named_parameters() if "bias" in name]
    with torch.no_grad():
        biases[0][5:10] = closed
    inputs, targets = data_of(200)
    curve = sensitivity(predictor_of(stack), 1e-3 * inputs, targets, 150)
    assert curve[0] > 0
    torch.testing.assert_close(curve, curve[:1].expand(151), rtol=5e-3, atol=0)


def test_weights_inputs_and_their_gradients_are_left_alone() -> None:
    model = predictor_of(RecurrentStack("chung2014-lstm", D_IN, 5)).requires_grad_(False)
    inputs, targets = data_of()
    before = [part.clone() for part in (inputs, *model.parameters())]
    with torch.no_grad():
        sensitivity(model, inputs, targets, 3)
    for part, old in zip((inputs, *model.parameters()), before, strict=True):
        assert torch.equal(part, old)
        assert part.grad is None
        assert not part.requires_grad


def test_single_precision_reaches_far_below_the_square_root_of_its_smallest_number() -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("chung2014-tanh", D_IN, 5)
    with torch.no_grad():
        stack.get_parameter("layers.0.weight_hh").copy_(0.1 * torch.eye(5))
    model = Predictor(D_IN, stack, GaussianMixtureHead(5, D, 2, 1e-3))
    inputs, targets = (part.float() for part in data_of(40))
    curve = sensitivity(model, 1e-4 * inputs, targets, 30)
    torch.testing.assert_close(curve[30] / curve[0], torch.tensor(1e-30).double(), rtol=1e-3, atol=0)


def test_a_distance_that_no_step_looks_back_is_rejected() -> None:
    model = predictor_of(RecurrentStack("gru", D_IN, 5))
    assert len(sensitivity(model, *data_of(), T - 1)) == T
    with pytest.raises(ValueError, match=r"from 0 to 6 with 7 steps, not 7"):
        sensitivity(model, *data_of(), T)
