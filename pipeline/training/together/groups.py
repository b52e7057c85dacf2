"""Which trainings a process computes together."""

from collections.abc import Hashable, Sequence
from pathlib import Path

from pipeline.tracking.run_folder import RunFolder

OF_THE_MODEL = ("architecture", "cell", "num_layers", "hidden_size", "parameter_budget")
OF_THE_TRAINING = ("state", "batch_size", "bptt_steps", "optimizer", "loss", "precision", "device")
"""Settings that trainings of one group have in common."""


def groups_of(runs: Sequence[Path], most: int) -> list[list[Path]]:
    """Divide runs into groups that are trained together.

    The trainings of a group have the same data, recurrent layers of the same cell and size, and batches of
    the same size. One with `train.max_minutes` is alone, since its time would be shared, and so is one that
    starts from another model.

    Args:
        runs: run folders.
        most: largest size of a group.

    Returns:
        The groups, in the order of their first runs.
    """
    groups: list[list[Path]] = []
    open_groups: dict[Hashable, list[Path]] = {}
    for run in runs:
        key = _key(RunFolder(run))
        group = open_groups.get(key) if key is not None else None
        if group is None or len(group) == most:
            group = []
            groups.append(group)
            open_groups[key] = group
        group.append(run)
    return groups


def _key(folder: RunFolder) -> Hashable | None:
    """Return what trainings of one group have in common; None for one that is trained alone."""
    config = folder.config()
    if config.train.max_minutes is not None or config.train.start_from is not None:
        return None
    return (
        folder.dataset,
        config.input.model_dump_json(),
        *(getattr(config.model, name) for name in OF_THE_MODEL),
        *(getattr(config.train, name) for name in OF_THE_TRAINING),
    )
