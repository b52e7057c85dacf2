"""The share of a rank in a plan of updates, and in the state that its lanes carry.

The lanes of a plan are divided into equal blocks, in order. Where their number is not a multiple of the
number of ranks, empty lanes are added, which have no part in the loss. So a checkpoint, which holds the state
of the lanes without the empty ones, can be resumed with any number of ranks.
"""

import torch

from models.recurrent.stack import State
from pipeline.data.batching import Plan
from pipeline.errors import UserError


def lanes_of_rank(lanes: int, size: int) -> int:
    """Return the number of lanes of each rank, empty ones included.

    Args:
        lanes: number of lanes of the plan.
        size: number of ranks.

    Raises:
        UserError: there are more ranks than lanes.
    """
    if size > lanes:
        raise UserError(
            f"{size} ranks cannot share {lanes} sequences: use fewer ranks, or raise train.batch_size", 2
        )
    return -(-lanes // size)


def own_plan(plan: Plan, rank: int, size: int) -> Plan:
    """Return the block of lanes of one rank.

    Args:
        plan: the whole plan, (U, B).
        rank: number of the rank, from 0.
        size: number of ranks.

    Raises:
        UserError: there are more ranks than lanes.
    """
    own = lanes_of_rank(plan.lanes, size)
    return plan.lanes_from(rank * own, (rank + 1) * own)


def own_state(state: State, rank: int, size: int) -> State:
    """Return the carried state of the lanes of one rank; zeros for empty lanes.

    Args:
        state: of all lanes, (L, B, H) for each part; empty at the beginning of an epoch.
        rank: number of the rank, from 0.
        size: number of ranks.
    """
    if not state:
        return ()
    own = lanes_of_rank(state[0].shape[1], size)
    missing = own * size - state[0].shape[1]
    padded = (torch.nn.functional.pad(part, (0, 0, 0, missing)) for part in state)
    return tuple(part[:, rank * own : (rank + 1) * own].contiguous() for part in padded)
