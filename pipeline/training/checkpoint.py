"""Everything that a training needs to go on as if it had never stopped.

Files are torch's, loaded with ``weights_only``: no code runs from them.
"""

import io
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.common.files import atomic_path
from pipeline.errors import UserError
from pipeline.model.build import Network


@dataclass
class Position:
    """Where a training is; with the weights, the optimiser and the random state, all that it consists of.

    Attributes:
        epoch: passes completed.
        update: updates done within the present pass.
        total_updates: updates done in all.
        state: the carried hidden state at this point; empty at the beginning of a pass.
        best_valid: lowest validation loss so far, nats per step.
        best_epoch: the pass that reached it.
        elapsed_s: time spent in the loop, over all its restarts.
        skipped: updates skipped because their loss or gradient was not finite.
        skipped_in_row: how many of them just now.
        rollbacks: returns to the last checkpoint because too many were skipped in a row.
        window: loss sum, steps, gradient-norm sum and updates since the last logged point.
        logged_at_s: ``elapsed_s`` at that point.
        finished: whether training has ended.
    """

    epoch: int = 0
    update: int = 0
    total_updates: int = 0
    state: tuple[Tensor, ...] = ()
    best_valid: float = float("inf")
    best_epoch: int = -1
    elapsed_s: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    rollbacks: int = 0
    window: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    logged_at_s: float = 0.0
    finished: bool = False


def save_checkpoint(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    position: Position,
    journal_size: int,
) -> None:
    """Write a checkpoint, atomically; ``journal_size`` is how much of the journal it vouches for."""
    content = {
        "weights": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "position": {f.name: getattr(position, f.name) for f in fields(position)},
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "journal_size": journal_size,
    }
    save_tensors(path, content)


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values, atomically."""
    # Torch's own file writer would not tell why a disk refused.
    packed = io.BytesIO()
    torch.save(content, packed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(packed.getbuffer())


def restore_checkpoint(
    path: Path, network: Network, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[Position, int]:
    """Bring back weights, optimiser and random state; returns the position and the journal's size."""
    content = read_checkpoint(path, device)
    network.load_state_dict(content["weights"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"].cpu())
    if content["random_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in content["random_cuda"]])
    return Position(**content["position"]), content["journal_size"]


def restore_weights(
    path: Path, network: Network, optimizer: torch.optim.Optimizer, device: torch.device
) -> None:
    """Bring back only what a diverged training lost: weights and optimiser."""
    content = read_checkpoint(path, device)
    network.load_state_dict(content["weights"])
    optimizer.load_state_dict(content["optimizer"])


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The content of a checkpoint or of a file of weights; a damaged one is a `UserError`."""
    try:
        return dict(torch.load(path, map_location=device, weights_only=True))
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise UserError(f"{path}: damaged checkpoint ({reason}); delete its folder to train anew") from None
