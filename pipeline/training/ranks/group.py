"""The processes that train one model together, as `torchrun` starts them.

Each rank computes the gradient of its own lanes. The gradients are summed, weighted by the numbers of steps
that they are averages of, so that their sum is the gradient of the whole batch. All ranks then do the same
update, and keep the same weights. Rank 0 alone validates and writes.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.recurrent.stack import State
from pipeline.common.devices import choose_device
from pipeline.data.batching import Plan
from pipeline.errors import UserError, print_notice
from pipeline.training.ranks.lanes import own_plan, own_state

Shared = TypeVar("Shared")

LONGEST_WAIT = timedelta(days=14)
"""Longest time that ranks wait for each other, as for the validation on rank 0. A rank that ends is noticed
at once."""
UNTIL_ENDED_S = 30.0
"""Time in which the launcher ends a rank whose neighbour was lost, in seconds."""
UNTIL_FIRST_SPEAKS_S = 60.0
"""Time after which a mistake that rank 0 has not found as well is reported by another rank, in seconds."""
PARENT_S = 1.0


class RankLost(Exception):
    """Another rank has ended, so that nothing can be computed together."""


@dataclass(frozen=True)
class Ranks:
    """The ranks of a training, seen from one of them. By default there is one, which does all alone.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        local: number of this process on its machine, from 0, which is that of its GPU.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this rank validates and writes."""
        return self.rank == 0

    def device(self, wanted: str) -> torch.device:
        """Return the device of this rank: with `auto` or `cuda`, the GPU of its number.

        Raises:
            UserError: the machine has fewer GPUs.
        """
        device = choose_device(wanted)
        if self.size == 1 or device.type == "cpu":
            return device
        if device.index is not None:
            raise UserError(f"train.device={wanted}: several ranks need several GPUs; use auto or cuda", 2)
        return choose_device(f"cuda:{self.local}")

    def share(self, value: Shared) -> Shared:
        """Return the value that rank 0 has; all ranks call this at the same point."""
        if self.size == 1:
            return value
        box = [value if self.first else None]
        with _together():
            torch.distributed.broadcast_object_list(box, 0, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let rank 0 finish the block before the other ranks begin it."""
        if not self.first:
            self.share(None)
        yield
        if self.first:
            self.share(None)

    def own_plan(self, plan: Plan) -> Plan:
        """Return this rank's share of a plan, see `pipeline.training.ranks.lanes`."""
        return plan if self.size == 1 else own_plan(plan, self.rank, self.size)

    def own_state(self, state: State) -> State:
        """Return the carried state of this rank's lanes from that of all lanes."""
        return state if self.size == 1 else own_state(state, self.rank, self.size)

    def whole_state(self, state: State, lanes: int) -> State:
        """Return the carried state of all lanes from that of this rank's.

        Args:
            state: (L, B, H) for each part; empty at the beginning of an epoch.
            lanes: number of lanes without the empty ones.
        """
        if self.size == 1:
            return state
        whole = []
        for part in state:
            parts = [torch.empty_like(part) for _ in range(self.size)]
            with _together():
                torch.distributed.all_gather(parts, part.contiguous())
            whole.append(torch.cat(parts, 1)[:, :lanes])
        return tuple(whole)

    def join_gradients(
        self, parameters: Iterable[nn.Parameter], loss: Tensor, steps: float, own_steps: float
    ) -> tuple[Tensor, float]:
        """Replace the gradients of this rank's lanes by those of all lanes.

        Args:
            parameters: of the network; each has a gradient on all ranks or on none.
            loss: loss of this rank's lanes, per step.
            steps: number of steps that it is averaged over, at least a fraction of one.
            own_steps: number of steps of this rank's lanes, 0 where they are empty.

        Returns:
            The loss of all lanes per step, and the number of their steps.
        """
        if self.size == 1:
            return loss, steps
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        numbers = [loss.reshape(1).float(), loss.new_ones(1, dtype=torch.float32)]
        joined = torch.cat([*(each.reshape(-1).float() for each in gradients), *numbers])
        joined *= own_steps
        with _together():
            torch.distributed.all_reduce(joined)
        total = joined[-1].item()
        joined /= total
        begin = 0
        for each in gradients:
            each.copy_(joined[begin : begin + each.numel()].view_as(each))
            begin += each.numel()
        return joined[-2], total

    @contextmanager
    def own_draws(self, seed: int, update: int, device: torch.device) -> Iterator[None]:
        """Draw random numbers in this block that differ between the ranks; the common draws go on after it.

        Args:
            seed: of the training.
            update: number of the update, from 0. The draws depend on it, on the seed and on the rank.
            device: of the network.
        """
        if self.size == 1:
            yield
            return
        drawn = np.random.SeedSequence([seed, update, self.rank]).generate_state(2)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(drawn[0]) << 31 | int(drawn[1]) >> 1)
            yield

    def share_start(self, network: nn.Module, device: torch.device) -> None:
        """Give all ranks the weights and the state of the common draws of rank 0."""
        if self.size == 1:
            return
        with _together(), torch.no_grad():
            for weight in network.state_dict().values():
                torch.distributed.broadcast(weight, 0)
        torch.set_rng_state(self.share(torch.get_rng_state()))
        if device.type == "cuda":
            torch.cuda.set_rng_state(self.share(torch.cuda.get_rng_state(device)), device)


ALONE = Ranks()
"""A training in one process."""


@contextmanager
def _together() -> Iterator[None]:
    """Convert the failure of a common operation into `RankLost`."""
    try:
        yield
    except RuntimeError as problem:  # of gloo and NCCL
        raise RankLost(str(problem)) from None


def started_by_torchrun() -> bool:
    """Return whether `torchrun` has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the ranks that `torchrun` has started with this process, and leave them at the end.

    A rank whose neighbour was lost waits until the launcher ends it, and prints nothing. A mistake that all
    ranks find is reported by rank 0.
    """
    threading.Thread(target=_stop_with_parent, args=(os.getppid(),), daemon=True).start()
    kind = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(kind, timeout=LONGEST_WAIT)
    ranks = Ranks(
        torch.distributed.get_rank(),
        torch.distributed.get_world_size(),
        int(os.environ.get("LOCAL_RANK", "0")),
    )
    try:
        yield ranks
    except RankLost:
        time.sleep(UNTIL_ENDED_S)
        sys.exit(1)
    except UserError as problem:
        if ranks.first:
            raise
        time.sleep(UNTIL_FIRST_SPEAKS_S)
        print_notice(f"rank {ranks.rank}: {problem}")
        sys.exit(problem.exit_code)
    else:
        torch.distributed.destroy_process_group()


def _stop_with_parent(parent: int) -> None:
    """End this process when the launcher has ended: it would wait for the others for ever."""
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    os._exit(1)
