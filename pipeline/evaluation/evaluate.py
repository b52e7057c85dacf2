"""The figures of a model on held-out recordings, beside those of the baselines on the same recordings."""

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
"""Targets in the recordings that are scored from different distances."""

HORIZON_PATHS = 128
"""Ways to each that the model imagines; with 16, figures at 80 steps are several nats too high."""


def evaluate(
    model_folder: Path, dataset_path: Path, config: EvaluateConfig, device: str = "auto"
) -> dict[str, Any]:
    """Score a model on a split of a prepared data set.

    Returns:
        A table for people and machines: ``model`` and each of ``baselines`` with ``nats_per_step`` and, for
        integer samples, ``bits_per_sample`` (exact code length); ``recordings``, ``steps``, ``seconds``;
        ``of_recordings``, the model's figures for each recording, with its ``name`` and ``group``; and
        ``horizons``, for each the ``nats_per_step`` so many steps ahead, and those of each target in an order
        that is the same for all models.

    Raises `UserError` where the model or data set cannot be used, or the split is empty.
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
        if not count:  # a piece of one frame, of which nothing is predicted
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
    # Short recordings leave less to hear before the first step that is asked about.
    longest = int(data.length.max()) // model.framing.hop - max(config.horizons)
    context_steps = max(1, min(-(-config.context_steps // block), longest // block)) * block
    return horizon_nats(model, data, config.horizons, HORIZON_STARTS, context_steps, HORIZON_PATHS, seed=0)


def validation_nats(model_folder: Path, dataset_path: Path, device: str = "auto") -> float:
    """Return nats per predicted value on the validation split, by which models of any step are chosen.

    The test split stays unseen.
    """
    model = load_model(model_folder, choose_device(device))
    dataset = open_dataset(dataset_path, model.input)
    data = split_rows(dataset, "valid", model.device)
    scores = score(model.network, data, model.framing, model.normaliser(), exact=False)
    ratio = _log_scale_ratio(dataset.normalisation, model.normalisation)
    return scores.nats_per_step / model.framing.target_size - ratio


def _log_scale_ratio(ours: Normalisation, models: Normalisation) -> float:
    """What a value's log-density gains when it is scaled by ``ours`` instead of by the ``models``' own.

    A density depends on the unit; every figure for a data set is given in that data set's units.
    """
    return float(np.mean(np.log(ours.std) - np.log(models.std)))
