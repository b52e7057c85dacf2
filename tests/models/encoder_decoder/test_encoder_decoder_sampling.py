"""Scheduled sampling: within a block the decoder is trained on draws of its own, before it on the truth."""

import pytest
import torch
from torch import Tensor, nn

from models.distributions.mixture import DiagonalMixture
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.heads import GaussianMixtureHead
from tests.helpers.networks.encoder_decoders import (
    D_IN,
    HISTORY_ROWS,
    HOP,
    WIDTH,
    D,
    H,
    assert_same,
    network_of,
    random_inputs,
    run,
)


class NotingHead(nn.Module):
    """Draws 100, 101, ... in turn for steps 0, 1, ...; notes the inputs that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = GaussianMixtureHead(H, D, 1, 1e-3)
        self.inputs: list[Tensor] = []

    def forward(self, hidden: Tensor, inputs: Tensor) -> DiagonalMixture:
        self.inputs.append(inputs)
        found = self.inner(hidden, inputs)
        assert isinstance(found, DiagonalMixture)
        steps = torch.arange(hidden.shape[-2], dtype=hidden.dtype)[:, None, None]
        return DiagonalMixture(found.logits, 0 * found.mean + 100 + steps, 0 * found.scale)


def consecutive(batch: int, first: int, steps: int) -> Tensor:
    """Inputs (B, T, D_in) cut from rows that hold the step they belong to."""
    rows = torch.arange(-HISTORY_ROWS, steps * HOP, dtype=torch.float64).div(HOP, rounding_mode="floor")
    windows = (rows + first).repeat_interleave(WIDTH).unfold(0, D_IN, D)[:steps]
    return windows.expand(batch, -1, -1).contiguous()


@pytest.mark.parametrize("attention", [0, 3])
def test_a_model_fed_only_its_own_samples_reads_the_true_rows_before_its_block(attention: int) -> None:
    head = NotingHead()
    network = network_of("gru", 4, attention, head=head).train()
    network.sampling_probability = 1.0
    inputs = consecutive(2, 0, 10)
    run(network, inputs)
    first, second = head.inputs
    assert torch.equal(first, inputs)
    for step in range(10):
        block = step - step % 4
        truth = inputs[0, step]
        expected = torch.where(truth >= block, truth + 100, truth)
        assert torch.equal(second[0, step], expected)
    assert (second[0] > 50).any(1).tolist() == [step % 4 > 0 for step in range(10)]


def test_a_chunk_that_begins_inside_a_block_reads_the_true_rows_before_it() -> None:
    head = NotingHead()
    network = network_of("gru", 4, 0, head=head).train()
    _, state = run(network, consecutive(1, 0, 2))
    network.sampling_probability = 1.0
    inputs = consecutive(1, 2, 4)
    run(network, inputs, state)
    context, truth = head.inputs[-1][0], inputs[0]
    assert torch.equal(context[0], truth[0])
    assert torch.equal(context[1], torch.where(truth[1] >= 2, truth[1] + 98, truth[1]))
    assert torch.equal(context[2], truth[2])
    assert torch.equal(context[3], torch.where(truth[3] >= 4, truth[3] + 98, truth[3]))


def test_the_share_of_own_steps_is_the_probability_and_all_later_steps_read_the_same_step() -> None:
    head = NotingHead()
    network = network_of("gru", 50, 0, head=head).train()
    network.sampling_probability = 0.3
    run(network, consecutive(40, 0, 50))
    context = head.inputs[-1]
    assert float((context[:, 1:, -1] > 50).double().mean()) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(context[:, 2:, :D], context[:, 1:-1, D : 2 * D])


def test_sampling_is_for_training_alone_and_repeats_with_the_generator() -> None:
    network = network_of("lstm", 4, 2)
    inputs = random_inputs(2, 12)
    truth, _ = run(network, inputs)
    network.sampling_probability = 0.5
    assert_same(run(network, inputs)[0], truth)
    network.train()
    torch.manual_seed(3)
    first, _ = run(network, inputs)
    torch.manual_seed(3)
    again, _ = run(network, inputs)
    other, _ = run(network, inputs)
    assert torch.equal(first.mean, again.mean)
    assert torch.equal(first.mean[:, ::4], truth.mean[:, ::4])
    assert not torch.equal(first.mean, truth.mean)
    assert not torch.equal(first.mean, other.mean)


def test_draws_let_no_gradient_through_and_every_weight_still_learns() -> None:
    network = network_of("gru", 4, 3).train()
    network.sampling_probability = 1.0
    distribution, _ = run(network, random_inputs(2, 8).requires_grad_())
    distribution.log_prob(torch.randn(2, 8, D)).sum().backward()
    assert all(w.grad is not None and w.grad.any() for w in network.parameters())


def test_steps_too_short_to_show_the_one_before_cannot_be_sampled() -> None:
    network = EncoderDecoder(1, 1, "gru", H, 1, 0.0, GaussianMixtureHead(H, 2, 1, 1e-3), 4, 0)
    network.sampling_probability = 0.1
    with pytest.raises(ValueError, match="the 2 values before them, not 1"):
        network(torch.zeros(1, 8, 1), network.initial_state(1))
