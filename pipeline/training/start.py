"""The start of a training from the weights of another model.

The new model keeps the other's normalisation, so that at update 0 both give every sample the same likelihood.
"""

from typing import Any

import torch

from pipeline.errors import UserError
from pipeline.model.build import Network
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.step import Training


def starting_model(folder: RunFolder) -> TrainedModel | None:
    """Return the copy of the model that a run starts from, None for a run that starts anew."""
    return load_model(folder.start) if (folder.start / "config.json").is_file() else None


def load_start(network: Network, start: TrainedModel) -> None:
    """Give a network the weights of the model that it starts from.

    Raises:
        UserError: they do not fit, since the model folder is damaged.
    """
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in start.weights().items()})
    except RuntimeError as problem:
        reason = " ".join(str(problem).split())[:120]
        raise UserError(f"the model that the training starts from is damaged ({reason})") from None


def first_training(start: TrainedModel) -> dict[str, Any]:
    """Return the record of the training from new weights with which a chain of trainings began.

    Args:
        start: the model that the last of them starts from.

    Returns:
        Its `run`, `elapsed_s` and `valid_nats_per_step`, as far as they are recorded.
    """
    kept = start.trained.get("from_new_weights")
    found = kept if isinstance(kept, dict) else start.trained
    return {name: found[name] for name in ("run", "elapsed_s", "valid_nats_per_step") if name in found}


def facts_of_start(training: Training) -> dict[str, Any]:
    """Return what the new model's folder notes of its start; empty for a training that started anew."""
    start = starting_model(training.folder)
    return {} if start is None else {"from_new_weights": first_training(start)}


def gain_of_start(training: Training) -> dict[str, Any]:
    """Return what a training gained over the model that it started from, for the run's summary.

    Returns:
        The minutes, the validation loss at the start and its reduction in nats per step, for quantised input
        also in bits per sample; and the recorded minutes and loss of the training from new weights
        (`start_anew_...`), on the validation recordings of then. Empty for a training that started anew.
    """
    position = training.position
    start = starting_model(training.folder)
    if start is None or position.start_valid is None:
        return {}
    gain: dict[str, Any] = {
        "start_valid_nats_per_step": position.start_valid,
        "start_gained_nats_per_step": position.start_valid - position.best_valid,
        "start_minutes": position.elapsed_s / 60,
    }
    losses = {"start": position.start_valid, "end": position.best_valid}
    anew = first_training(start)
    if isinstance(anew.get("elapsed_s"), int | float):
        gain["start_anew_minutes"] = anew["elapsed_s"] / 60
        gain["start_anew_run"] = str(anew.get("run", ""))
    if isinstance(loss := anew.get("valid_nats_per_step"), int | float):
        gain["start_anew_valid_nats_per_step"] = losses["anew"] = float(loss)
    for name, nats in losses.items():
        per_value = nats / training.framing.target_size
        bits = start.representation.bits_per_sample(per_value, start.normalisation)
        if bits is not None:
            gain[f"start_valid_bits_at_{name}"] = bits
    minutes = start.trained.get("elapsed_s")
    if isinstance(minutes, int | float):
        gain["start_minutes_of_the_other"] = minutes / 60
    return gain
