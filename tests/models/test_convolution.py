"""Convolutions line up with targets, join at the seams, and never see a row that is to be predicted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu

from models.convolution import ConvolutionFrontend, alignment
from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack, State
from pipeline.features.framing import Framing

Layers = list[tuple[int, int, int]]
layer_lists = st.lists(
    st.tuples(st.integers(2, 3), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=3
)
"""Channels, kernel and stride of one to three layers; strides may exceed kernels."""
B = 2


def frontend_of(layers: Layers, window: int = 3, advance: int = 2, width: int = 2) -> ConvolutionFrontend:
    torch.manual_seed(0)
    frontend = ConvolutionFrontend(window, advance, width, layers).double()
    for weight in frontend.parameters():
        nn.init.normal_(weight, std=0.5)
    return frontend


def inputs_of(frontend: ConvolutionFrontend, steps: int) -> Tensor:
    return torch.randn(B, steps, frontend.input_rows * frontend.width, dtype=torch.float64)


def fine_windows(frontend: ConvolutionFrontend, inputs: Tensor) -> Tensor:
    """The fine windows (B, T * S, window * width) of coarse inputs, cut out one by one."""
    rows = inputs.unflatten(2, (-1, frontend.width))
    starts = [fine * frontend.advance for fine in range(frontend.stride)]
    windows = [rows[:, :, start : start + frontend.window].flatten(2) for start in starts]
    return torch.stack(windows, 2).flatten(1, 2)


def same(value: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


def test_kernel_4_and_stride_2_halve_the_sequence_and_leave_every_second_target_from_the_fourth() -> None:
    first, stride = alignment([(8, 4, 2)])
    assert (first, stride) == (3, 2)
    assert list(range(10))[first::stride] == [3, 5, 7, 9]
    assert conv1d(torch.zeros(1, 1, 10), torch.zeros(1, 1, 4), stride=2).shape[2] == 4


@given(layer_lists, st.integers(0, 20))
def test_an_output_belongs_to_the_newest_input_that_changes_it(layers: Layers, further: int) -> None:
    first, stride = alignment(layers)
    count = first + 1 + further

    def outputs(inputs: Tensor) -> Tensor:
        for _, kernel, own_stride in layers:
            inputs = conv1d(inputs, torch.ones(1, 1, kernel, dtype=torch.float64), stride=own_stride)
        return inputs[:, 0]

    changes = outputs(torch.eye(count, dtype=torch.float64)[:, None]).T
    newest = [int(inputs.nonzero().max()) for inputs in changes]
    oldest = [int(inputs.nonzero().min()) for inputs in changes]
    assert newest == list(range(count))[first::stride]
    assert oldest == [position - first for position in newest]


@given(layer_lists, st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
@torch.no_grad()
def test_it_is_the_unpadded_convolution_of_the_recording_after_silence(
    layers: Layers, window: int, advance: int, steps: int
) -> None:
    frontend = frontend_of(layers, window, advance)
    inputs = inputs_of(frontend, steps)
    first, stride = alignment(layers)
    fine = fine_windows(frontend, inputs)
    silence = fine.new_zeros(B, first, fine.shape[2])
    # The first coarse step ends with fine step S - 1, so its receptive field begins there less `first`.
    padded = torch.cat([silence, fine], 1)[:, stride - 1 :]
    expected = padded.transpose(1, 2)
    parameters = list(frontend.parameters())
    for (_, _, own_stride), weight, bias in zip(layers, parameters[::2], parameters[1::2], strict=True):
        expected = gelu(conv1d(expected, weight, bias, own_stride))
    features, _ = frontend(inputs, frontend.initial_state(B))
    assert features.shape == (B, steps, frontend.output_size)
    same(features, expected.transpose(1, 2))
    same(padded[:, first::stride], fine[:, stride - 1 :: stride])


@given(layer_lists, st.lists(st.integers(1, 4), min_size=1, max_size=5))
@torch.no_grad()
def test_chunks_and_single_steps_give_the_features_of_the_whole(layers: Layers, chunks: list[int]) -> None:
    frontend = frontend_of(layers)
    inputs = inputs_of(frontend, sum(chunks))
    whole, end = frontend(inputs, frontend.initial_state(B))
    for lengths in (chunks, [1] * sum(chunks)):
        state, parts = frontend.initial_state(B), []
        for chunk in inputs.split(lengths, 1):
            features, state = frontend(chunk, state)
            parts.append(features)
        same(torch.cat(parts, 1), whole)
        for part, expected in zip(state, end, strict=True):
            same(part, expected)


@given(layer_lists, st.integers(1, 5))
@torch.no_grad()
def test_silence_before_a_recording_changes_nothing(layers: Layers, silent_steps: int) -> None:
    frontend = frontend_of(layers)
    fresh = frontend.initial_state(B)
    silence = torch.zeros_like(inputs_of(frontend, silent_steps))
    _, after = frontend(silence, fresh)
    for (_, kernel, stride), before, end in zip(layers, fresh, after, strict=True):
        assert before.shape[:2] == (max(kernel - stride, 0), B)
        same(end, before)


@settings(max_examples=40)
@given(layer_lists, st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
@torch.no_grad()
def test_a_step_sees_the_row_before_its_first_target_and_none_from_there_on(
    layers: Layers, window: int, advance: int, width: int
) -> None:
    """Through the framing of whole recordings: each row in turn is changed."""
    frontend = frontend_of(layers, window, advance, width)
    first, stride = alignment(layers)
    steps = 5
    framing = Framing(frontend.input_rows, stride * advance, width)
    recording = torch.randn(steps * framing.hop, width, dtype=torch.float64)

    length = len(recording)
    # One recording that is not changed, and one for each row that is.
    changed = recording.repeat(length + 1, 1, 1)
    changed[torch.arange(length) + 1, torch.arange(length)] += 1
    count = torch.arange(length + 1)
    whole = (count * length, torch.full_like(count, length), torch.zeros_like(count))
    stretch, exists = framing.gather(changed.flatten(0, 1), *whole, steps)
    inputs, targets, _ = framing.split(stretch.where(exists[..., None], 0.0), exists)
    torch.testing.assert_close(framing.join(targets[-1], length), changed[-1], rtol=0, atol=0)
    features: Tensor = frontend(inputs, frontend.initial_state(length + 1))[0]
    rounding = 1e-12  # which differs along a batch
    for row, seen_by in enumerate(((features[1:] - features[0]).abs() > rounding).any(2)):
        for step in range(steps):
            oldest = (step * stride - first) * advance - window
            newest = step * framing.hop - 1
            assert not seen_by[step] or oldest <= row <= newest
            assert seen_by[step] or row not in (oldest, newest)


def test_the_gradient_reaches_every_weight_and_through_the_state_the_first_input() -> None:
    frontend = frontend_of([(3, 4, 2), (3, 4, 1)])
    first, second = inputs_of(frontend, 1).requires_grad_(), inputs_of(frontend, 1)
    _, state = frontend(first, frontend.initial_state(B))
    frontend(second, state)[0].sum().backward()
    assert first.grad is not None
    assert first.grad.any()
    for name, weight in frontend.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@torch.no_grad()
def test_reduced_precision_keeps_the_type_of_the_state_and_joins_chunks() -> None:
    frontend = frontend_of([(4, 5, 2), (4, 3, 1)]).float()
    inputs = inputs_of(frontend, 6).float()
    with torch.autocast("cpu", torch.bfloat16):
        state: State = frontend.initial_state(B)
        exact = [part.clone() for part in state]
        whole, end = frontend(inputs, state)
        first, state = frontend(inputs[:, :2], state)
        rest, state = frontend(inputs[:, 2:], state)
    assert whole.dtype == torch.bfloat16
    assert {part.dtype for part in (*exact, *state, *end)} == {torch.float32}
    torch.testing.assert_close(exact, list(frontend.initial_state(B)), rtol=0, atol=0)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, rtol=0.02, atol=0.02)


@torch.no_grad()
def test_a_predictor_with_a_front_end_runs_in_chunks_and_steps() -> None:
    """Its state is that of the convolutions and of the recurrent layers, batch always dimension 1."""
    frontend = frontend_of([(4, 4, 2), (5, 3, 2)])
    recurrent = RecurrentStack("lstm", 5, 6, 2).double()
    size = frontend.input_rows * frontend.width
    model = Predictor(size, recurrent, nn.Identity(), frontend)
    inputs = torch.cat([torch.randn(B, 7, 3, dtype=torch.float64), inputs_of(frontend, 7)], -1)
    fresh = model.initial_state(B)
    assert all(part.dim() == 3 and part.shape[1] == B for part in fresh)
    state = model.advance(inputs[:, :3], fresh)
    for step in range(3, 7):
        state = model.advance(inputs[:, step : step + 1], state)
    for part, expected in zip(state, model.advance(inputs, fresh), strict=True):
        same(part, expected)


def test_no_layers_are_no_front_end() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ConvolutionFrontend(20, 10, 1, [])
