"""Every row is predicted once, from rows before it alone, and windows turn back into the recording."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.features.framing import Framing

SHAPES = [(20, 10, 1), (1, 1, 5), (10, 20, 1), (3, 7, 2), (7, 3, 2), (16, 1, 1), (1, 13, 1)]
"""Window, hop and width: the study's, the spectrogram's, and others on both sides of window = hop."""


def row_numbers(length: int, width: int) -> Tensor:
    """Rows whose values name them: value v of row n is n + 1 + v / 10; nothing is 0."""
    return torch.arange(1.0, length + 1)[:, None] + torch.arange(width) / 10


def framed(
    framing: Framing, rows: Tensor, first_step: int, steps: int, lead: int = 4
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and mask (T, ...) of one recording that lies between foreign rows of value -1."""
    foreign = torch.full((lead, framing.width), -1.0)
    everything = torch.cat([foreign, rows, foreign])
    offset, length, first = (torch.tensor([number]) for number in (lead, len(rows), first_step))
    stretch, exists = framing.gather(everything, offset, length, first, steps)
    assert stretch.shape == (1, framing.window + steps * framing.hop, framing.width)
    assert exists.shape == stretch.shape[:2]
    inputs, targets, mask = framing.split(stretch.masked_fill(~exists[..., None], 0.0), exists)
    assert inputs.shape == (1, steps, framing.input_size)
    assert targets.shape == mask.shape == (1, steps, framing.target_size)
    return inputs[0], targets[0], mask[0]


def slow_step(framing: Framing, rows: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Input and target of a step, row by row, zeros where there is none."""
    nothing = torch.zeros(framing.width)

    def row(n: int) -> Tensor:
        return rows[n] if 0 <= n < len(rows) else nothing

    begin = step * framing.hop
    seen = [row(n) for n in range(begin - framing.window, begin)]
    return torch.cat(seen), torch.cat([row(n) for n in range(begin, begin + framing.hop)])


def test_the_worked_example() -> None:
    """That of the module: 25 samples, window 20, hop 10."""
    framing = Framing(window=20, hop=10, width=1)
    samples = torch.arange(25.0)
    inputs, targets, mask = framed(framing, samples[:, None], 0, framing.steps(25))
    assert framing.steps(25) == 3
    assert torch.equal(inputs[0], torch.zeros(20))
    assert torch.equal(targets[0], samples[:10])
    assert torch.equal(inputs[1], torch.cat([torch.zeros(10), samples[:10]]))
    assert torch.equal(targets[1], samples[10:20])
    assert torch.equal(inputs[2], samples[:20])
    assert torch.equal(targets[2][:5], samples[20:25])
    assert mask.sum(1).tolist() == [10, 10, 5]
    assert mask[2].tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_windows_turn_back_into_the_recording_at_every_length(shape: tuple[int, int, int]) -> None:
    framing = Framing(*shape)
    for length in range(201):
        rows = row_numbers(length, framing.width)
        steps = framing.steps(length)
        assert (steps - 1) * framing.hop < length <= steps * framing.hop or length == steps == 0
        inputs, targets, mask = framed(framing, rows, 0, max(steps, 1))
        assert torch.equal(targets[mask].reshape(-1, framing.width), rows)
        assert not targets[~mask].any()
        for step in {0, steps // 2, max(steps - 1, 0)}:
            expected_input, expected_target = slow_step(framing, rows, step)
            assert torch.equal(inputs[step], expected_input)
            assert torch.equal(targets[step], expected_target)


dimensions = st.tuples(st.integers(1, 25), st.integers(1, 25), st.integers(1, 4))


@given(dimensions, st.integers(0, 200), st.integers(0, 30), st.integers(1, 12))
def test_any_stretch_equals_the_slow_way(
    shape: tuple[int, int, int], length: int, first_step: int, steps: int
) -> None:
    framing = Framing(*shape)
    rows = row_numbers(length, framing.width)
    inputs, targets, mask = framed(framing, rows, first_step, steps)
    for t in range(steps):
        expected_input, expected_target = slow_step(framing, rows, first_step + t)
        assert torch.equal(inputs[t], expected_input)
        assert torch.equal(targets[t], expected_target)
        assert torch.equal(mask[t], expected_target != 0)


@given(dimensions, st.integers(1, 200), st.integers(1, 12))
def test_every_row_is_a_target_exactly_once_however_a_recording_is_cut(
    shape: tuple[int, int, int], length: int, chunk_steps: int
) -> None:
    framing = Framing(*shape)
    rows = row_numbers(length, framing.width)
    predicted = []
    for first_step in range(0, framing.steps(length), chunk_steps):
        _, targets, mask = framed(framing, rows, first_step, chunk_steps)
        predicted.append(targets[mask])
    assert torch.equal(torch.cat(predicted), rows.flatten())


@given(dimensions, st.integers(1, 120), st.data())
def test_a_row_is_seen_only_by_steps_that_predict_later_ones(
    shape: tuple[int, int, int], length: int, data: st.DataObject
) -> None:
    framing = Framing(*shape)
    changed_row = data.draw(st.integers(0, length - 1))
    rows = row_numbers(length, framing.width)
    others = rows.clone()
    others[changed_row] += 1000
    steps = framing.steps(length) + 1
    (before, _, _), (after, _, _) = (framed(framing, x, 0, steps) for x in (rows, others))
    changed = (before != after).any(1).nonzero().flatten().tolist()
    begins = range(0, steps * framing.hop, framing.hop)
    assert changed == [t for t, begin in enumerate(begins) if begin - framing.window <= changed_row < begin]
    assert all(begins[t] > changed_row for t in changed)


@given(dimensions, st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 8))
def test_stretches_side_by_side_are_those_alone(
    shape: tuple[int, int, int], lengths: list[int], steps: int
) -> None:
    framing = Framing(*shape)
    recordings = [100 * b + row_numbers(length, framing.width) for b, length in enumerate(lengths)]
    offset = torch.tensor([sum(lengths[:b]) for b in range(len(lengths))])
    first = torch.arange(len(lengths)) % 3
    stretch, exists = framing.gather(torch.cat(recordings), offset, torch.tensor(lengths), first, steps)
    together = framing.split(stretch.masked_fill(~exists[..., None], 0.0), exists)
    for b, rows in enumerate(recordings):
        alone = framed(framing, rows, int(first[b]), steps)
        for found, expected in zip(together, alone, strict=True):
            assert torch.equal(found[b], expected)


# Rows that are seen but not asked for


@given(dimensions, st.integers(0, 3), st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_what_is_predicted_is_all_but_the_unscored_rows(
    shape: tuple[int, int, int], unscored: int, lengths: list[int]
) -> None:
    framing = Framing(*shape, unscored=unscored)
    expected = [framing.width * len(range(unscored, length)) for length in lengths]
    assert framing.values(torch.tensor(lengths)).tolist() == expected
    assert Framing(*shape).values(torch.tensor(lengths)).tolist() == [framing.width * n for n in lengths]


@given(dimensions, st.integers(1, 60))
def test_unscored_rows_are_cut_as_any_other(shape: tuple[int, int, int], length: int) -> None:
    """They are a matter of what is asked for: a step sees the same, and still lies at the same place."""
    framing, plain = Framing(*shape, unscored=1), Framing(*shape)
    assert framing.steps(length) == plain.steps(length)
    rows = row_numbers(length, framing.width)
    for found, expected in zip(
        framed(framing, rows, 0, plain.steps(length)),
        framed(plain, rows, 0, plain.steps(length)),
        strict=True,
    ):
        assert torch.equal(found, expected)
