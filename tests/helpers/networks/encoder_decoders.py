"""Encoder-decoders of few units, run over all steps or one by one."""

from typing import Any

import torch
from torch import Tensor, nn

from models.distributions.mixture import DiagonalMixture
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.heads import GaussianMixtureHead
from models.recurrent.stack import State

WIDTH, INPUT_ROWS, HISTORY_ROWS, HOP = 2, 3, 4, 2
D_IN, D, H = HISTORY_ROWS * WIDTH, HOP * WIDTH, 7


def network_of(
    cell: str = "gru", decode: int = 4, attention: int = 0, head: nn.Module | None = None, **form: Any
) -> EncoderDecoder:
    """In float64; biases and learned states drawn, too, so that nothing is zero by chance."""
    torch.manual_seed(0)
    layers = {"num_layers": 1, "dropout": 0.0, **form}
    head = head or GaussianMixtureHead(H, D, 3, 1e-3)
    network = EncoderDecoder(
        INPUT_ROWS, WIDTH, cell, H, head=head, decode_steps=decode, attention_steps=attention, **layers
    ).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network.eval()


def random_inputs(batch: int, steps: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, steps, D_IN, dtype=torch.float64, generator=generator)


def run(network: EncoderDecoder, inputs: Tensor, state: State | None = None) -> tuple[DiagonalMixture, State]:
    """From the initial state where none is given."""
    found, after = network(inputs, state or network.initial_state(len(inputs)))
    assert isinstance(found, DiagonalMixture)
    return found, after


def one_step(network: EncoderDecoder, inputs: Tensor, state: State) -> tuple[DiagonalMixture, State]:
    """As `run`, for inputs (B, 1, D_in) by `step`."""
    one, after = network.step(inputs[:, 0], state)
    assert isinstance(one, DiagonalMixture)
    return DiagonalMixture(one.logits[:, None], one.mean[:, None], one.scale[:, None]), after


def assert_same(found: DiagonalMixture, expected: DiagonalMixture) -> None:
    for name in ("logits", "mean", "scale"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-10, atol=1e-10)


def joined(parts: list[DiagonalMixture]) -> DiagonalMixture:
    """Distributions of consecutive stretches (B, t) as one of (B, T)."""
    fields = ("logits", "mean", "scale")
    return DiagonalMixture(*(torch.cat([getattr(part, name) for part in parts], 1) for name in fields))
