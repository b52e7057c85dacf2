"""Training checkpoints: weights, optimiser, random state and position, from which training resumes exactly.

The files are in torch's format and are loaded with ``weights_only``, so no code from them is executed. Behind
the archive lies its checksum, which is verified before anything is loaded.
"""

import io
import os
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.common.files import atomic_path, read_regular
from pipeline.common.hashing import checksum
from pipeline.errors import UserError, print_notice
from pipeline.model.build import Network
from pipeline.training.averaging import WeightAverage

TRAILER = b"\nwavecast-checksum:"
LONGEST_CHECKSUM = 64
MOST_BYTES = 1 << 36
_OF_THE_DEVICE = {"lr", "capturable", "foreach", "fused"}
"""Settings of an optimiser that are those of the present run; ``lr`` is set at each update."""


@dataclass
class Position:
    """Progress of a training; with weights, optimiser and random state, the complete state of the training.

    Attributes:
        epoch: completed epochs.
        update: completed updates of the current epoch.
        total_updates: completed updates of all epochs.
        state: the carried hidden state; empty at the beginning of an epoch.
        best_valid: lowest validation loss so far, in nats per step.
        best_epoch: epoch of the lowest validation loss.
        best_is_average: whether that loss is of the averaged weights.
        elapsed_s: seconds spent in the loop, over all restarts.
        skipped: updates skipped because their loss or gradient was not finite.
        skipped_in_row: updates skipped since the last update that was not.
        rollbacks: returns to the last checkpoint because too many updates were skipped in a row.
        window: loss sum, steps, gradient-norm sum and updates since the last logged point.
        logged_at_s: ``elapsed_s`` at the last logged point.
        finished: whether training has ended.
        start_valid: validation loss before the first update, of a training that starts from another model.
    """

    epoch: int = 0
    update: int = 0
    total_updates: int = 0
    state: tuple[Tensor, ...] = ()
    best_valid: float = float("inf")
    best_epoch: int = -1
    best_is_average: bool = False
    elapsed_s: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    rollbacks: int = 0
    window: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    logged_at_s: float = 0.0
    finished: bool = False
    start_valid: float | None = None


def save_checkpoint(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    position: Position,
    journal_size: int,
    average: WeightAverage | None = None,
) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: file to write.
        network: its weights are written.
        optimizer: its state is written.
        position: progress of the training.
        journal_size: bytes of the journal that belong to the training up to this point.
        average: the average of the weights, if there is one.
    """
    content = {
        "weights": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "position": {f.name: getattr(position, f.name) for f in fields(position)},
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "journal_size": journal_size,
        "average": average.state_dict() if average else None,
    }
    save_tensors(path, content)


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values in torch's format with a checksum behind them, atomically.

    Torch reads the file with or without the checksum, since it finds the archive's directory from its end.

    Args:
        path: the file, which is replaced if it exists.
        content: tensors, numbers and texts by name.
    """
    # Torch's own file writer raises errors without the operating system's reason.
    packed = io.BytesIO()
    torch.save(content, packed)
    trailer = TRAILER + checksum(packed.getbuffer()).encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(packed.getbuffer())
        file.write(trailer)


def keep_previous(path: Path, previous: Path) -> None:
    """Give the checkpoint at ``path`` a second name, which is kept when a new one replaces it.

    On a file system without hard links nothing is kept.
    """
    temporary = previous.with_suffix(".next")
    try:
        temporary.unlink(missing_ok=True)
        os.link(path, temporary)
        temporary.replace(previous)
    except OSError:
        return


def restore_newest(
    last: Path,
    previous: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    average: WeightAverage | None = None,
) -> tuple[Position, int]:
    """Restore the checkpoint ``last``, or ``previous`` if that is damaged, which then takes its place.

    Raises:
        UserError: both are damaged, or the last is and there is no previous one.
    """
    try:
        return restore_checkpoint(last, network, optimizer, device, average)
    except UserError as problem:
        if not previous.exists():
            raise
        print_notice(f"{problem.args[0].partition(';')[0]}; training resumes from the one before it")
    restored = restore_checkpoint(previous, network, optimizer, device, average)
    previous.replace(last)
    return restored


def restore_checkpoint(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    average: WeightAverage | None = None,
) -> tuple[Position, int]:
    """Restore weights, optimiser, random state and the average of the weights from a checkpoint.

    Args:
        path: the checkpoint.
        network: receives the weights.
        optimizer: receives its state.
        device: where the tensors are loaded to.
        average: receives the averaged weights, if there is an average.

    Returns:
        The position in the training, and the journal's size in bytes.

    Raises:
        UserError: the checkpoint is damaged.
    """
    content = read_checkpoint(path, device)
    try:
        network.load_state_dict(content["weights"])
        _restore_optimizer(optimizer, content["optimizer"])
        torch.set_rng_state(content["random"].cpu())
        if content["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([state.cpu() for state in content["random_cuda"]])
        if average:
            average.load_state_dict(content["average"])
        return Position(**content["position"]), int(content["journal_size"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as problem:
        raise _damaged(path, problem) from None


def restore_weights(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    average: WeightAverage | None = None,
) -> None:
    """Restore weights, their average and the optimiser only, after a training has diverged.

    Args:
        path: the checkpoint.
        network: receives the weights.
        optimizer: receives its state.
        device: where the tensors are loaded to.
        average: receives the averaged weights, if there is an average.

    Raises:
        UserError: the checkpoint is damaged.
    """
    content = read_checkpoint(path, device)
    network.load_state_dict(content["weights"])
    _restore_optimizer(optimizer, content["optimizer"])
    if average:
        average.load_state_dict(content["average"])


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Return the content of a checkpoint or of a file of weights.

    Args:
        path: a file of `save_tensors`.
        device: where the tensors are loaded to.

    Raises:
        UserError: the file is damaged.
    """
    data = read_regular(path, "checkpoint", MOST_BYTES)
    packed, _, stated = data.rpartition(TRAILER)
    if not packed or len(stated) > LONGEST_CHECKSUM:  # of an earlier release, without a checksum
        packed = data
    elif checksum(packed).encode() != stated:
        raise _damaged(path, "its checksum is another")
    try:
        return dict(torch.load(io.BytesIO(packed), map_location=device, weights_only=True))
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
        pickle.UnpicklingError,
    ) as problem:
        raise _damaged(path, problem) from None


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Restore an optimiser's state, but not how it runs on this device.

    Tensors that it has already keep their places, which a CUDA graph may have recorded.
    """
    ways = [{name: group[name] for name in _OF_THE_DEVICE & group.keys()} for group in optimizer.param_groups]
    places = {weight: dict(state) for weight, state in optimizer.state.items()}
    optimizer.load_state_dict(saved)
    for group, way in zip(optimizer.param_groups, ways, strict=True):
        group.update(way)
    for weight, state in places.items():
        found = optimizer.state[weight]
        for name, place in state.items():
            place.copy_(found[name]) if name in found else place.zero_()
        optimizer.state[weight] = state


def _damaged(path: Path, problem: object) -> UserError:
    reason = " ".join(str(problem).split())[:120]
    return UserError(f"{path}: damaged checkpoint ({reason}); delete its folder to train again")
