"""The encoder-decoder against its definition written out, step by step; and what it may not hear."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.distributions.mixture import GaussianMixture
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.heads import GaussianMixtureHead
from models.recurrent.cells import CELLS
from models.recurrent.stack import State, keep_state

WIDTH, INPUT_ROWS, HISTORY_ROWS, HOP = 2, 3, 4, 2
D_IN, D, H = HISTORY_ROWS * WIDTH, HOP * WIDTH, 7
every_cell = pytest.mark.parametrize("cell", CELLS)
every_form = pytest.mark.parametrize(
    ("decode", "attention", "form"),
    [
        (4, 0, {}),
        (4, 3, {}),
        (5, 9, {"num_layers": 2}),
        (3, 2, {"num_layers": 3, "residual": True, "layer_norm": True, "learned_initial_state": True}),
        (1, 4, {}),
    ],
)


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


def run(network: EncoderDecoder, inputs: Tensor, state: State | None = None) -> tuple[GaussianMixture, State]:
    """From the initial state where none is given."""
    found, after = network(inputs, state or network.initial_state(len(inputs)))
    assert isinstance(found, GaussianMixture)
    return found, after


def one_step(network: EncoderDecoder, inputs: Tensor, state: State) -> tuple[GaussianMixture, State]:
    """As `run`, for inputs (B, 1, D_in) by `step`."""
    one, after = network.step(inputs[:, 0], state)
    assert isinstance(one, GaussianMixture)
    return GaussianMixture(one.logits[:, None], one.mean[:, None], one.scale[:, None]), after


def assert_same(found: GaussianMixture, expected: GaussianMixture) -> None:
    for name in ("logits", "mean", "scale"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-10, atol=1e-10)


def joined(parts: list[GaussianMixture]) -> GaussianMixture:
    """Distributions of consecutive stretches (B, t) as one of (B, T)."""
    fields = ("logits", "mean", "scale")
    return GaussianMixture(*(torch.cat([getattr(part, name) for part in parts], 1) for name in fields))


def written_out(network: EncoderDecoder, inputs: Tensor) -> GaussianMixture:
    """One recording (T, D_in), every step of every block by itself, attention entry by entry."""
    heard: list[Tensor] = []
    distributions = []
    encoder, decoder = network.encoder.initial_state(1), network.decoder.initial_state(1)
    layers, parts = len(network.decoder.layers), network.decoder.parts
    for time, row in enumerate(inputs):
        seen = row[None, -INPUT_ROWS * WIDTH :]
        top, encoder = network.encoder.step(seen, encoder)
        heard.append(top[0])
        if time % network.decode_steps == 0:
            start = torch.tanh(network.bridge.weight @ top[0] + network.bridge.bias)
            decoder = tuple(start.view(parts, layers, 1, H))
            memory = heard[max(0, len(heard) - network.attention_steps) :]
        if network.attention is not None:
            question = network.attention.question.weight @ decoder[0][-1, 0]
            weights = torch.softmax(torch.stack([question @ entry for entry in memory]) / math.sqrt(H), 0)
            context = sum((w * entry for w, entry in zip(weights, memory, strict=True)), torch.zeros(H))
            seen = torch.cat([seen, context[None]], -1)
        hidden, decoder = network.decoder.step(seen, decoder)
        distributions.append(network.head(hidden[None], row[None, None]))
    return joined(distributions)


@every_cell
@every_form
@torch.no_grad()
def test_a_run_over_all_steps_is_the_definition_written_out(
    cell: str, decode: int, attention: int, form: dict[str, Any]
) -> None:
    network = network_of(cell, decode, attention, **form)
    for steps in (1, decode, 3 * decode, 3 * decode + 2):
        inputs = random_inputs(2, steps)
        found, _ = run(network, inputs)
        for row in range(2):
            alone = GaussianMixture(*(getattr(found, n)[row : row + 1] for n in ("logits", "mean", "scale")))
            assert_same(alone, written_out(network, inputs[row]))


@every_cell
@every_form
@torch.no_grad()
def test_steps_one_by_one_and_chunks_of_any_length_are_the_whole(
    cell: str, decode: int, attention: int, form: dict[str, Any]
) -> None:
    network = network_of(cell, decode, attention, **form)
    inputs = random_inputs(3, 23)
    whole, end = run(network, inputs)
    for chunks in ([1] * 23, [4] * 5 + [3], [2, 7, 1, 12, 1], [20, 3]):
        state, found = network.initial_state(3), []
        for chunk in inputs.split(chunks, 1):
            part, state = (one_step if chunk.shape[1] == 1 else run)(network, chunk, state)
            found.append(part)
        assert_same(joined(found), whole)
        torch.testing.assert_close(state, end, rtol=0, atol=1e-10)
    torch.testing.assert_close(network.advance(inputs, network.initial_state(3)), end, rtol=0, atol=1e-10)


@every_cell
@pytest.mark.parametrize("attention", [0, 6])
@torch.no_grad()
def test_rows_of_a_batch_may_be_anywhere_in_their_blocks(cell: str, attention: int) -> None:
    """Recordings begin anew in some rows, after 7, then 3 steps; each goes on as if it were alone."""
    network = network_of(cell, 5, attention, num_layers=2)
    inputs = random_inputs(4, 7 + 3 + 9 + 1)
    begins = [0, 7, 10, 10]
    state = network.initial_state(4)
    for chunk, first in zip(inputs.split([7, 3, 9, 1], 1), (0, 7, 10, 19), strict=True):
        keep = torch.tensor([first != begin for begin in begins])
        before = keep_state(state, keep, network.initial_state(4))
        found, state = run(network, chunk, before)
        torch.testing.assert_close(network.advance(chunk, before), state, rtol=0, atol=1e-10)
    stepped, after_step = one_step(network, chunk, before)
    torch.testing.assert_close(after_step, state, rtol=0, atol=1e-10)
    assert_same(stepped, found)
    for row, begin in enumerate(begins):
        alone, end = run(network, inputs[row : row + 1, begin:])
        torch.testing.assert_close(alone.mean[:, -1], found.mean[row : row + 1, -1], rtol=0, atol=1e-10)
        of_row: State = tuple(part[:, row : row + 1] for part in state)
        torch.testing.assert_close(of_row, end, rtol=0, atol=1e-10)


@every_form
@torch.no_grad()
def test_the_state_is_made_of_tensors_with_the_batch_in_the_middle(
    decode: int, attention: int, form: dict[str, Any]
) -> None:
    network = network_of("lstm", decode, attention, **form)
    _, after = run(network, random_inputs(3, 6))
    for part, start in zip(after, network.initial_state(3), strict=True):
        assert part.shape == start.shape
        assert part.dim() == 3
        assert part.shape[1] == 3


@every_cell
@pytest.mark.parametrize("attention", [0, 3])
@pytest.mark.parametrize("changed", [0, 4, 6, 11])
@torch.no_grad()
def test_a_distribution_depends_on_all_inputs_so_far_and_on_none_to_come(
    cell: str, attention: int, changed: int
) -> None:
    network = network_of(cell, 4, attention)
    inputs = random_inputs(2, 12)
    others = inputs.clone()
    others[:, changed] += 1
    before, after = (run(network, x)[0].mean for x in (inputs, others))
    differs = (before - after).abs().flatten(2).sum(-1)
    assert not differs[:, :changed].any()
    assert differs[:, changed:].all()


@pytest.mark.parametrize("attention", [0, 5])
@torch.no_grad()
def test_inside_a_block_only_the_decoder_hears(attention: int) -> None:
    """A decoder that is deaf to its inputs predicts a whole block from what came up to its first step."""
    network = network_of("gru", 4, attention)
    network.get_parameter("decoder.layers.0.weight_ih_l0")[:, : INPUT_ROWS * WIDTH] = 0
    inputs = random_inputs(2, 12)
    for changed in range(12):
        others = inputs.clone()
        others[:, changed] += 1
        before, after = (run(network, x)[0].mean for x in (inputs, others))
        differs = (before - after).abs().flatten(2).sum(-1)
        next_heard = -(-changed // 4) * 4
        assert not differs[:, :next_heard].any()
        assert differs[:, next_heard:].all()


@torch.no_grad()
def test_attention_reaches_back_as_far_as_it_says() -> None:
    """An encoder without recurrence tells of one step alone, so a block sees as far as its memory."""
    network = network_of("study-tanh", 4, 3)
    network.get_parameter("encoder.layers.0.weight_hh").zero_()
    inputs = random_inputs(1, 12)
    for changed, seen in ((4, False), (5, False), (6, True), (7, True), (8, True)):
        others = inputs.clone()
        others[:, changed] += 1
        before, after = (run(network, x)[0].mean[:, 8:] for x in (inputs, others))
        assert bool((before != after).any()) is seen


@every_cell
@pytest.mark.parametrize("attention", [0, 3])
@pytest.mark.parametrize("steps", [12, 10])
def test_every_weight_learns(cell: str, attention: int, steps: int) -> None:
    network = network_of(cell, 4, attention, num_layers=2, layer_norm=True, learned_initial_state=True)
    distribution, _ = run(network, random_inputs(2, steps))
    distribution.log_prob(torch.randn(2, steps, D)).sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_rows_without_a_memory_spoil_no_gradient() -> None:
    """One row inside its block, one at a beginning: the second's running block has nothing to attend to."""
    network = network_of("gru", 4, 3)
    _, state = run(network, random_inputs(2, 2))
    mixed = keep_state(state, torch.tensor([True, False]), network.initial_state(2))
    distribution, _ = run(network, random_inputs(2, 9), mixed)
    distribution.log_prob(torch.randn(2, 9, D)).sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in network.parameters())


class NotingHead(nn.Module):
    """Draws 100, 101, ... in turn for steps 0, 1, ...; notes the inputs that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = GaussianMixtureHead(H, D, 1, 1e-3)
        self.inputs: list[Tensor] = []

    def forward(self, hidden: Tensor, inputs: Tensor) -> GaussianMixture:
        self.inputs.append(inputs)
        found = self.inner(hidden, inputs)
        assert isinstance(found, GaussianMixture)
        steps = torch.arange(hidden.shape[-2], dtype=hidden.dtype)[:, None, None]
        return GaussianMixture(found.logits, 0 * found.mean + 100 + steps, 0 * found.scale)


def consecutive(batch: int, first: int, steps: int) -> Tensor:
    """Inputs (B, T, D_in) cut from rows that hold the step they belong to."""
    rows = torch.arange(-HISTORY_ROWS, steps * HOP, dtype=torch.float64).div(HOP, rounding_mode="floor")
    windows = (rows + first).repeat_interleave(WIDTH).unfold(0, D_IN, D)[:steps]
    return windows.expand(batch, -1, -1).contiguous()


@pytest.mark.parametrize("attention", [0, 3])
def test_a_model_that_hears_only_itself_hears_the_truth_from_before_its_block(attention: int) -> None:
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


def test_a_chunk_that_begins_inside_a_block_hears_the_truth_from_before_it() -> None:
    head = NotingHead()
    network = network_of("gru", 4, 0, head=head).train()
    _, state = run(network, consecutive(1, 0, 2))
    network.sampling_probability = 1.0
    inputs = consecutive(1, 2, 4)
    run(network, inputs, state)
    heard, truth = head.inputs[-1][0], inputs[0]
    assert torch.equal(heard[0], truth[0])
    assert torch.equal(heard[1], torch.where(truth[1] >= 2, truth[1] + 98, truth[1]))
    assert torch.equal(heard[2], truth[2])
    assert torch.equal(heard[3], torch.where(truth[3] >= 4, truth[3] + 98, truth[3]))


def test_the_share_of_own_steps_is_the_probability_and_a_step_is_heard_alike_by_all() -> None:
    head = NotingHead()
    network = network_of("gru", 50, 0, head=head).train()
    network.sampling_probability = 0.3
    run(network, consecutive(40, 0, 50))
    heard = head.inputs[-1]
    assert float((heard[:, 1:, -1] > 50).double().mean()) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(heard[:, 2:, :D], heard[:, 1:-1, D : 2 * D])


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


@pytest.mark.parametrize("attention", [0, 3])
def test_all_weights_but_the_heads_count_as_recurrent(attention: int) -> None:
    network = network_of("gru", 4, attention, num_layers=2)
    seen = INPUT_ROWS * WIDTH

    def stack(inputs: int) -> int:
        return 3 * H * (inputs + H + 2) + 3 * H * (2 * H + 2)

    bridge, context = 2 * H * (H + 1), H if attention else 0
    expected = stack(seen) + stack(seen + context) + bridge + context * H
    assert network.recurrent_parameter_count() == expected
