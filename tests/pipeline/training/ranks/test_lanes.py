"""The lanes of a plan are divided into equal blocks; added lanes are empty."""

import numpy as np
import pytest
import torch

from pipeline.data.batching import EMPTY, carried_plan
from pipeline.errors import UserError
from pipeline.training.ranks.lanes import own_plan, own_state


def test_blocks_of_all_ranks_are_the_plan_and_empty_lanes() -> None:
    plan = carried_plan(np.array([90, 40, 70]), 5, 10, np.array([2, 0, 1]))
    assert plan.lanes == 5
    parts = [own_plan(plan, rank, 2) for rank in range(2)]
    tables = [part.chunks(0, len(part)) for part in parts]
    for whole, *own in zip(plan.chunks(0, len(plan)), *tables, strict=True):
        assert {table.shape for table in own} == {(len(plan), 3)}
        assert np.array_equal(np.concatenate(own, 1)[:, :5], whole)
    recording, _, fresh = tables[1]
    assert (recording[:, 2] == EMPTY).all()
    assert fresh[:, 2].all()
    assert parts[0].chunk_steps == plan.chunk_steps


def test_states_of_all_ranks_are_the_state_and_zeros() -> None:
    state = (torch.randn(2, 5, 3), torch.randn(2, 5, 3))
    parts = [own_state(state, rank, 3) for rank in range(3)]
    for index, part in enumerate(state):
        joined = torch.cat([own[index] for own in parts], 1)
        assert torch.equal(joined[:, :5], part)
        assert not joined[:, 5:].any()
    assert own_state((), 1, 3) == ()


def test_more_ranks_than_lanes_are_refused() -> None:
    with pytest.raises(UserError, match=r"6 ranks cannot share 5 sequences: .* train\.batch_size"):
        own_state((torch.zeros(1, 5, 2),), 0, 6)
