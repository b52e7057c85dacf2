"""The encoder-decoder against its definition written out step by step; and its causality."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.distributions.mixture import DiagonalMixture
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.recurrent.cells import CELLS
from models.recurrent.stack import State, keep_state_where
from tests.helpers.networks.encoder_decoders import (
    INPUT_ROWS,
    WIDTH,
    D,
    H,
    assert_same,
    joined,
    network_of,
    one_step,
    random_inputs,
    run,
)

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


def written_out(network: EncoderDecoder, inputs: Tensor) -> DiagonalMixture:
    """One recording (T, D_in), every step of every block by itself, attention entry by entry."""
    states: list[Tensor] = []
    distributions = []
    encoder, decoder = network.encoder.initial_state(1), network.decoder.initial_state(1)
    layers, parts = len(network.decoder.layers), network.decoder.parts
    for time, row in enumerate(inputs):
        seen = row[None, -INPUT_ROWS * WIDTH :]
        top, encoder = network.encoder.step(seen, encoder)
        states.append(top[0])
        if time % network.decode_steps == 0:
            start = torch.tanh(network.bridge.weight @ top[0] + network.bridge.bias)
            decoder = tuple(start.view(parts, layers, 1, H))
            memory = states[max(0, len(states) - network.attention_steps) :]
        if network.attention is not None:
            question = network.attention.question.weight @ decoder[0][-1, 0]
            weights = torch.softmax(torch.stack([question @ entry for entry in memory]) / math.sqrt(H), 0)
            context = sum((w * entry for w, entry in zip(weights, memory, strict=True)), torch.zeros(H))
            seen = torch.cat([seen, context[None]], -1)
        hidden, decoder = network.decoder.step(seen, decoder)
        distributions.append(network.head(hidden[None], row[None, None]))
    return joined(distributions)


@pytest.mark.thinned(2)
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
            alone = DiagonalMixture(*(getattr(found, n)[row : row + 1] for n in ("logits", "mean", "scale")))
            assert_same(alone, written_out(network, inputs[row]))


@pytest.mark.thinned(2)
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
        before = keep_state_where(state, keep, network.initial_state(4))
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
    """An encoder without recurrence encodes one step alone, so a block's context is its memory."""
    network = network_of("chung2014-tanh", 4, 3)
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
    mixed = keep_state_where(state, torch.tensor([True, False]), network.initial_state(2))
    distribution, _ = run(network, random_inputs(2, 9), mixed)
    distribution.log_prob(torch.randn(2, 9, D)).sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in network.parameters())


@pytest.mark.parametrize("attention", [0, 3])
def test_all_weights_but_the_heads_count_as_recurrent(attention: int) -> None:
    network = network_of("gru", 4, attention, num_layers=2)
    seen = INPUT_ROWS * WIDTH

    def stack(inputs: int) -> int:
        return 3 * H * (inputs + H + 2) + 3 * H * (2 * H + 2)

    bridge, context = 2 * H * (H + 1), H if attention else 0
    expected = stack(seen) + stack(seen + context) + bridge + context * H
    assert network.recurrent_parameter_count() == expected
