"""Processes that train together, started without a launcher: a function is called in each."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing

from pipeline.training.ranks.group import RankLost, Ranks


def with_ranks(count: int, meeting: Path, work: Callable[..., None], *arguments: Any) -> None:
    """Call ``work`` in ``count`` processes with the ranks and these arguments, and wait for their end.

    Args:
        count: number of processes.
        meeting: a path where nothing is, by which they find each other.
        work: a function of a module. It may end by a `RankLost` or an interrupt.
        arguments: its further arguments.
    """
    multiprocessing.spawn(_run, args=(count, str(meeting), work, arguments), nprocs=count)


def _run(rank: int, count: int, meeting: str, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = f"file://{meeting}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    try:
        work(Ranks(rank, count, rank), *arguments)
    except (RankLost, KeyboardInterrupt):
        sys.stderr.flush()
        os._exit(0)
    torch.distributed.destroy_process_group()
