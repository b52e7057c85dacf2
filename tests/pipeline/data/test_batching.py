"""Plans lay every chunk down once and carry state where it belongs; batches are slices of the recordings."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config.inputs import InputConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.data.batching import (
    EMPTY,
    Plan,
    PlannedChunks,
    batches,
    carried_plan,
    independent_plan,
    whole_plan,
)
from pipeline.features.framing import Framing
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from tests.helpers.builders import join_rows, noise, normaliser_of

Chunk = tuple[int, int]
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)
lanes = st.integers(1, 9)
chunk_sizes = st.integers(1, 70)


def all_chunks(steps: list[int], chunk_steps: int) -> list[Chunk]:
    return [(r, first) for r, count in enumerate(steps) for first in range(0, count, chunk_steps)]


def cells(plan: Plan) -> list[Chunk]:
    """Recording and first step of every cell that is not empty."""
    return chunks_in(table_of(plan))


def table_of(plan: Plan) -> PlannedChunks:
    return plan.chunks(0, len(plan))


def chunks_in(table: PlannedChunks) -> list[Chunk]:
    pairs = zip(table.recording.flat, table.first_step.flat, strict=True)
    return [(int(r), int(first)) for r, first in pairs if r != EMPTY]


def shuffled(steps: list[int], seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(len(steps))


def some_plans(steps: list[int], lane_count: int, chunk_steps: int, seed: int) -> dict[str, Plan]:
    counts = np.array(steps)
    random = np.random.default_rng(seed)
    return {
        "carried": carried_plan(counts, lane_count, chunk_steps, shuffled(steps, seed)),
        "independent": independent_plan(counts, lane_count, chunk_steps, random),
        "whole": whole_plan(counts, lane_count, chunk_steps),
    }


@given(lengths, lanes, chunk_sizes, st.integers(0, 9))
def test_every_plan_holds_every_chunk_exactly_once(
    steps: list[int], lane_count: int, chunk_steps: int, seed: int
) -> None:
    for name, plan in some_plans(steps, lane_count, chunk_steps, seed).items():
        assert sorted(cells(plan)) == all_chunks(steps, chunk_steps), name
        table = table_of(plan)
        assert {part.shape for part in table} == {(len(plan), plan.lanes)}
        assert plan.lanes <= lane_count
        assert (table.recording != EMPTY).any(1).all(), "an update without work"


@given(lengths, lanes, chunk_sizes, st.integers(0, 9))
def test_state_is_carried_exactly_where_a_lane_goes_on_in_its_recording(
    steps: list[int], lane_count: int, chunk_steps: int, seed: int
) -> None:
    plans = some_plans(steps, lane_count, chunk_steps, seed)
    for name in ("carried", "whole"):
        recording, first_step, fresh = table_of(plans[name])
        assert fresh[0].all(), name
        same_recording = recording[1:] == recording[:-1]
        next_chunk = first_step[1:] == first_step[:-1] + chunk_steps
        assert np.array_equal(~fresh[1:], same_recording & next_chunk), name
    assert table_of(plans["independent"]).fresh.all()


@given(lengths, lanes, chunk_sizes, st.integers(0, 9))
def test_a_carried_plan_is_one_stream_cut_into_lanes(
    steps: list[int], lane_count: int, chunk_steps: int, seed: int
) -> None:
    order = shuffled(steps, seed)
    plan = carried_plan(np.array(steps), lane_count, chunk_steps, order)
    chunks = all_chunks(steps, chunk_steps)
    stream = sorted(chunks, key=lambda chunk: (list(order).index(chunk[0]), chunk[1]))
    down_the_lanes = PlannedChunks(*(part.T for part in table_of(plan)))
    assert chunks_in(down_the_lanes) == stream
    first_steps = (chunk for chunk, fresh in zip(stream, down_the_lanes.fresh.flat, strict=False) if fresh)
    starts_within = [chunk for chunk in first_steps if chunk[1] > 0]
    assert len(starts_within) < plan.lanes, "a recording restarts more than once for each cut"


@given(lengths, lanes, chunk_sizes)
def test_only_the_last_lane_of_a_carried_plan_ends_early(
    steps: list[int], lane_count: int, chunk_steps: int
) -> None:
    plan = carried_plan(np.array(steps), lane_count, chunk_steps, np.arange(len(steps)))
    assert (table_of(plan).recording[:, :-1] != EMPTY).all()
    assert len(plan) == -(-len(all_chunks(steps, chunk_steps)) // min(lane_count, len(cells(plan))))


@given(lengths, lanes, chunk_sizes)
def test_a_whole_plan_never_cuts_a_recording_and_wastes_little(
    steps: list[int], lane_count: int, chunk_steps: int
) -> None:
    plan = whole_plan(np.array(steps), lane_count, chunk_steps)
    table = table_of(plan)
    for recording, count in enumerate(steps):
        updates, columns = np.nonzero(table.recording == recording)
        assert len(set(columns)) == 1
        assert all(later == earlier + 1 for earlier, later in pairwise(updates))
        assert table.first_step[updates, columns].tolist() == list(range(0, count, chunk_steps))
    longest = max(-(-count // chunk_steps) for count in steps)
    assert len(plan) < len(all_chunks(steps, chunk_steps)) / plan.lanes + longest


def test_an_independent_plan_is_shuffled_by_its_generator() -> None:
    steps = np.full(20, 30)
    first, again, other = (independent_plan(steps, 8, 10, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert cells(first) == cells(again) != cells(other)
    assert cells(first) != sorted(cells(first))


def test_the_memory_of_a_plan_does_not_grow_with_the_hours() -> None:
    order = np.array([1, 0])
    for plan in (
        carried_plan(np.array([2_000_000_000, 10]), 4, 10, order),
        whole_plan(np.array([2_000_000_000, 10]), 4, 10),
    ):
        held = [part for part in vars(plan).values() if isinstance(part, np.ndarray)]
        assert sum(part.nbytes for part in held) < 1_000
        middle = plan.chunks(len(plan) // 2, len(plan) // 2 + 1)
        assert (middle.recording[0] == 0).any()
    first = carried_plan(np.array([2_000_000_000, 10]), 4, 10, order).chunks(0, 2)
    assert first.recording.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    quarters = [500_000_000, 1_000_000_010, 1_500_000_020]
    assert first.first_step.tolist() == [[0, *quarters], [0, *(first + 10 for first in quarters)]]


# Batches

WAVEFORM = WaveformConfig(window=7, hop=3)
FRAMES = SpectrogramConfig(kind="spectrogram", n_mels=4)


def framing_of(config: InputConfig) -> Framing:
    return representation_of(config).framing(ModelConfig())


def recordings_of(config: InputConfig, rows: list[int]) -> list[NDArray[np.generic]]:
    width = representation_of(config).row_width
    sounds = [noise(count * width, seed).reshape(count, width) for seed, count in enumerate(rows)]
    return [
        (sound if width == 1 else sound / 300).astype(representation_of(config).row_dtype) for sound in sounds
    ]


@pytest.mark.parametrize("config", [WAVEFORM, FRAMES], ids=lambda config: config.kind)
@pytest.mark.parametrize("rows", [[1], [60], [50, 3, 41, 1, 29, 60]], ids=str)
def test_batches_are_slices_of_the_recordings(config: InputConfig, rows: list[int]) -> None:
    recordings = recordings_of(config, rows)
    frames, normaliser = framing_of(config), normaliser_of(config)
    steps = [frames.steps(count) for count in rows]
    unit = 1 / 32_768 if config.kind == "waveform" else 1.0
    seen = 0
    for plan in some_plans(steps, 4, 5, seed=1).values():
        for update, batch in enumerate(batches(plan, join_rows(recordings), frames, normaliser)):
            recording, first_step, fresh = (part[0] for part in plan.chunks(update, update + 1))
            assert torch.equal(batch.recording, torch.from_numpy(recording))
            assert torch.equal(batch.keep, torch.from_numpy(~fresh))
            existing = 0
            for lane, (r, first) in enumerate(zip(recording, first_step, strict=True)):
                stored = recordings[r] if r != EMPTY else recordings[0][:0]
                values = (stored.astype(np.float64) * unit - 0.01) / 0.05
                blank = np.zeros((frames.window + 70, frames.width))
                padded = np.concatenate([blank[: frames.window], values, blank])
                for t in range(5):
                    begin = (first + t) * frames.hop
                    seen_rows = padded[begin : begin + frames.window]
                    end = begin + frames.window + frames.hop
                    inputs, targets = batch.inputs[lane, t].numpy(), batch.targets[lane, t].numpy()
                    np.testing.assert_allclose(inputs, seen_rows.ravel(), rtol=0, atol=1e-4)
                    target_rows = padded[begin + frames.window : end]
                    np.testing.assert_allclose(targets, target_rows.ravel(), rtol=0, atol=1e-4)
                    here = stored[begin : begin + frames.hop].ravel()
                    expected_mask = np.arange(frames.target_size) < len(here)
                    assert not targets[~expected_mask].any()
                    assert np.array_equal(batch.stored[lane, t].numpy()[expected_mask], here)
                    if batch.mask is not None:
                        assert np.array_equal(batch.mask[lane, t].numpy(), expected_mask)
                    else:
                        assert expected_mask.all()
                    existing += len(here)
            assert batch.values == existing
            seen += existing
    assert seen == 3 * sum(rows) * frames.width


def test_a_full_batch_needs_no_mask_and_a_partial_one_has_it() -> None:
    steps, data = [10, 9], join_rows(recordings_of(WAVEFORM, [30, 26]))
    plan = whole_plan(np.array(steps), 2, 5)
    full, partial = batches(plan, data, framing_of(WAVEFORM), normaliser_of(WAVEFORM))
    assert full.mask is None
    assert full.values == 30
    assert partial.mask is not None
    assert partial.values == int(partial.mask.sum()) == 26


@pytest.mark.parametrize(("longest", "steps"), [(19, 20), (45, 60), (99, 100), (100, 100), (230, 100)])
def test_a_batch_is_hardly_longer_than_its_longest_stretch(longest: int, steps: int) -> None:
    data = join_rows(recordings_of(WAVEFORM, [3 * longest, 30]))
    plan = whole_plan(np.array([longest, 10]), 2, 100)
    first, *_ = batches(plan, data, framing_of(WAVEFORM), normaliser_of(WAVEFORM))
    assert first.inputs.shape[1] == first.targets.shape[1] == steps
    assert first.values == 3 * min(longest, 100) + 30


def test_batches_begin_at_any_update() -> None:
    data = join_rows(recordings_of(WAVEFORM, [200, 170, 90]))
    plan = carried_plan(np.array([67, 57, 30]), 3, 4, np.array([2, 0, 1]))
    from_start = list(batches(plan, data, framing_of(WAVEFORM), normaliser_of(WAVEFORM)))
    from_seven = list(
        batches(
            plan,
            data,
            framing_of(WAVEFORM),
            normaliser_of(WAVEFORM),
            first_update=7,
        )
    )
    assert len(from_start) == len(plan)
    assert len(from_seven) == len(plan) - 7
    for one, other in zip(from_start[7:], from_seven, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.keep, other.keep)


# Rows that are seen but not asked for


@pytest.mark.parametrize("shape", [(1, 1, 4), (7, 3, 1), (2, 5, 2)], ids=str)
@pytest.mark.parametrize("rows", [[1], [60], [50, 2, 41, 1, 29, 60]], ids=str)
def test_the_first_row_of_every_recording_is_seen_but_never_asked_for(
    shape: tuple[int, int, int], rows: list[int]
) -> None:
    plain, framing_of_notes = Framing(*shape), Framing(*shape, unscored=1)
    random = np.random.default_rng(0)
    data = join_rows([random.integers(-9, 9, (count, plain.width)).astype(np.int16) for count in rows])
    normaliser = Normaliser(
        representation_of(WAVEFORM),
        Normalisation((0.0,) * plain.width, (1.0,) * plain.width),
        torch.device("cpu"),
    )
    for plan in some_plans([plain.steps(count) for count in rows], 4, 5, seed=1).values():
        pairs = zip(
            batches(plan, data, plain, normaliser),
            batches(plan, data, framing_of_notes, normaliser),
            strict=True,
        )
        asked_for = 0
        for update, (all_rows, batch) in enumerate(pairs):
            assert torch.equal(batch.inputs, all_rows.inputs)
            assert torch.equal(batch.targets, all_rows.targets)
            everything = torch.ones(batch.targets.shape, dtype=torch.bool)
            expected = everything if all_rows.mask is None else all_rows.mask.clone()
            recording, first_step, _ = (part[0] for part in plan.chunks(update, update + 1))
            begins = (first_step == 0) & (recording != EMPTY)
            expected[torch.from_numpy(begins), 0, : plain.width] = False
            found = everything if batch.mask is None else batch.mask
            assert torch.equal(found, expected)
            assert batch.values == int(expected.sum())
            asked_for += batch.values
        assert (
            asked_for == int(framing_of_notes.values(data.length).sum()) == (sum(rows) - len(rows)) * shape[2]
        )
