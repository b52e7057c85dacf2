"""minGRU: its steps, its sequences and its equations agree, and its gradients are right."""

import pytest
import torch

from models.recurrent.mingru import MinGRU, step


@pytest.mark.parametrize("steps", [1, 2, 7, 64, 100])
def test_a_sequence_is_its_steps(steps: int) -> None:
    torch.manual_seed(0)
    layer = MinGRU(5, 7).double()
    inputs, state = torch.randn(3, steps, 5).double(), torch.randn(1, 3, 7).double()
    hidden, last = layer(inputs, state)
    carried: tuple[torch.Tensor, ...] = (state[0],)
    for t in range(steps):
        carried = step(layer, inputs[:, t], carried)
        torch.testing.assert_close(hidden[:, t], carried[0], rtol=0, atol=1e-13)
    assert torch.equal(last[0], hidden[:, -1])


def test_its_gradients_are_those_of_its_numbers() -> None:
    torch.manual_seed(0)
    layer = MinGRU(2, 3).double()
    inputs = torch.randn(2, 6, 2).double().requires_grad_()
    state = torch.randn(1, 2, 3).double().requires_grad_()

    def run(inputs: torch.Tensor, state: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        named = dict(zip(dict(layer.named_parameters()), weights, strict=True))
        return torch.func.functional_call(layer, named, (inputs, state))[0]  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(run, (inputs, state, *layer.parameters()))
