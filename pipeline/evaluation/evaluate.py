"""Evaluation of a model and of baselines on the same held-out recordings."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.devices import choose_device
from pipeline.config.run import EvaluateConfig
from pipeline.data.dataset import Dataset, SplitRows, open_dataset, split_rows
from pipeline.evaluation.baselines import baselines
from pipeline.evaluation.horizons import HorizonScore, horizon_nats
from pipeline.evaluation.nll import Scores, score
from pipeline.features.normalisation import Normalisation
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel

HORIZON_STARTS = 128
"""Target steps that are scored at all horizons."""

HORIZON_PATHS = 128
"""Free-running paths to each target; with 16, figures at 80 steps are several nats too high."""


def evaluate(
    model_folder: Path, dataset_path: Path, config: EvaluateConfig, device: str = "auto"
) -> dict[str, Any]:
    """Score a model on a split of a prepared data set.

    Args:
        model_folder: folder of the trained model.
        dataset_path: folder of the data set.
        config: split, horizons and baselines.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        A table that can be written as JSON. ``model`` and each of ``baselines`` have ``nats_per_step`` and,
        for integer samples, ``bits_per_sample`` (exact code length). ``recordings``, ``steps`` and
        ``seconds`` are the size of the split. Where ``of_notes`` is true, the seconds are those at the tempo
        that notes are written with. ``of_recordings`` has the model's figures for each recording, with its
        ``name`` and ``group``. ``horizons`` has, for each number of steps ahead, ``nats_per_step``
        and the nats ``of_targets``, in the same order for all models.

    Raises:
        UserError: the model or the data set cannot be used, or the split is empty.
    """
    model = load_model(model_folder, choose_device(device))
    dataset = open_dataset(dataset_path, model.input)
    chosen = dataset.require(config.split)
    data = split_rows(dataset, config.split, model.device)
    scores = score(model.network, data, model.framing, model.normaliser(), exact=True, visible=True)
    size = model.framing.target_size
    unit_nats = size * _log_scale_ratio(dataset.normalisation, model.normalisation)
    table = baselines(dataset, config.split, config.linear_order)
    rows = int(dataset.length[chosen].sum())
    return {
        "split": config.split,
        "data_fingerprint": dataset.fingerprint,
        "of_notes": model.representation.notes is not None,
        "recordings": len(chosen),
        "groups": len({dataset.group[i] for i in chosen}),
        "seconds": round(rows / model.row_rate_hz, 3),
        "steps": int(model.framing.steps(rows)),
        "model": {
            "nats_per_step": scores.nats_per_step - unit_nats,
            "bits_per_sample": scores.bits_per_sample,
        },
        "of_recordings": _of_recordings(dataset, chosen, scores, unit_nats, model.row_rate_hz),
        "horizons": {
            str(steps): {
                "nats_per_step": found.nats - unit_nats,
                "of_targets": [round(nats - unit_nats, 3) for nats in found.of_targets],
            }
            for steps, found in _horizons(model, data, config).items()
        },
        "baselines": {
            name: {
                "nats_per_step": None if found.nats is None else found.nats * size,
                "bits_per_sample": found.bits,
            }
            for name, found in table.items()
        },
    }


def _of_recordings(
    dataset: Dataset, chosen: np.ndarray, scores: Scores, unit_nats: float, row_rate: float
) -> list[dict[str, Any]]:
    """Return the model's figures for each recording, in the order of the data set."""
    values = scores.values.cpu().numpy()
    nats = scores.nats.cpu().numpy() * scores.target_size
    bits = None if scores.bits is None else scores.bits.cpu().numpy()
    found = []
    for position, index in enumerate(chosen):
        count = float(values[position])
        if not count:  # a recording of one frame has no predicted value
            continue
        found.append(
            {
                "name": dataset.name(int(index)),
                "group": dataset.group[index],
                "seconds": round(int(dataset.length[index]) / row_rate, 3),
                "values": int(count),
                "nats_per_step": float(nats[position]) / count - unit_nats,
                "bits_per_sample": None if bits is None else float(bits[position]) / count,
            }
        )
    return found


def _horizons(model: TrainedModel, data: SplitRows, config: EvaluateConfig) -> dict[int, HorizonScore]:
    if not config.horizons:
        return {}
    block = model.model.decode_steps if model.model.architecture == "encoder-decoder" else 1
    # In short recordings the context before the first target is shorter.
    longest = int(data.length.max()) // model.framing.hop - max(config.horizons)
    context_steps = max(1, min(-(-config.context_steps // block), longest // block)) * block
    return horizon_nats(model, data, config.horizons, HORIZON_STARTS, context_steps, HORIZON_PATHS, seed=0)


def validation_nats(model_folder: Path, dataset_path: Path, device: str = "auto") -> float:
    """Return nats per predicted value on the validation split.

    The figure compares models with different steps. Model selection uses it, so the test split stays unused.

    Args:
        model_folder: folder of the trained model.
        dataset_path: folder of the prepared data set.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UserError: the model or the data set cannot be used, or the split is empty.
    """
    model = load_model(model_folder, choose_device(device))
    dataset = open_dataset(dataset_path, model.input)
    data = split_rows(dataset, "valid", model.device)
    scores = score(model.network, data, model.framing, model.normaliser(), exact=False)
    ratio = _log_scale_ratio(dataset.normalisation, model.normalisation)
    return scores.nats_per_step / model.framing.target_size - ratio


def _log_scale_ratio(ours: Normalisation, models: Normalisation) -> float:
    """Return the log-density that a value gains when it is scaled by ``ours`` instead of by ``models``.

    A density depends on the unit. All figures for a data set are in units of that data set.
    """
    return float(np.mean(np.log(ours.std) - np.log(models.std)))
