"""Names of figures in MLflow: each has one name, which begins with the chart group that it belongs to.

Journals and summaries of run folders keep their own names. Figures are renamed when they are sent.
"""

import re
from collections.abc import Mapping
from typing import Any

LAYOUT = 2
"""Number of this scheme of names. Runs that were sent under an earlier one are sent again under this one."""
CHART_GROUPS = {
    "train/nats_per_step": "nats_per_step/train",
    "valid/nats_per_step": "nats_per_step/valid",
    "valid_nats_per_step": "nats_per_step/best_valid",
    "start_valid_nats_per_step": "nats_per_step/valid_at_start",
    "start_gained_nats_per_step": "nats_per_step/gained_since_start",
    "valid/density_bits_per_sample": "bits_per_sample/valid_density",
    "valid/discrete_bits_per_sample": "bits_per_sample/valid_discrete",
    "start_valid_bits_at_start": "bits_per_sample/valid_at_start",
    "start_valid_bits_at_end": "bits_per_sample/valid_at_end",
    "train/gradient_norm": "optimiser/gradient_norm",
    "train/learning_rate": "optimiser/learning_rate",
    "train/skipped_updates": "optimiser/skipped_updates",
    "skipped_updates": "optimiser/skipped_in_all",
    "train/steps_per_second": "time/steps_per_second",
    "elapsed_s": "time/whole_training_s",
    "best_epoch": "time/best_epoch",
    "start_minutes": "time/minutes_since_start",
    "start_minutes_of_the_other": "time/minutes_of_the_model_at_start",
}
RECORDED = {tracked: recorded for recorded, tracked in CHART_GROUPS.items()}
OF_SPLITS = r"(train|valid|test)_(nats_per_step|bits_per_sample)"
AHEAD = r"(train|valid|test)_nats_(\d+)_steps_ahead"
"""Names of figures that an evaluation adds to the summary."""


def tracked_name(name: str) -> str:
    """Return the name in MLflow of a figure of a journal or summary; an unknown name is kept.

    >>> tracked_name("train/nats_per_step"), tracked_name("test_bits_per_sample"), tracked_name("time/epoch")
    ('nats_per_step/train', 'bits_per_sample/test', 'time/epoch')
    """
    if name in CHART_GROUPS:
        return CHART_GROUPS[name]
    if found := re.fullmatch(OF_SPLITS, name):
        return f"{found[2]}/{found[1]}"
    if found := re.fullmatch(AHEAD, name):
        return f"nats_ahead/{found[1]}_{found[2]}_steps"
    return name


def recorded_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of an MLflow run, sent under present or earlier names, by the names of run folders.

    >>> recorded_metrics({"bits_per_sample/test": 9.4, "valid_nats_per_step": -8.9})
    {'valid_nats_per_step': -8.9, 'test_bits_per_sample': 9.4}
    """
    named = {name: _recorded_name(name) for name in metrics}
    earlier = {name: metrics[name] for name, own in named.items() if name == own}
    return {**earlier, **{own: metrics[name] for name, own in named.items() if name != own}}


def _recorded_name(name: str) -> str:
    """Return the inverse of `tracked_name`."""
    if name in RECORDED:
        return RECORDED[name]
    if found := re.fullmatch(r"(nats_per_step|bits_per_sample)/(train|valid|test)", name):
        return f"{found[2]}_{found[1]}"
    if found := re.fullmatch(r"nats_ahead/(train|valid|test)_(\d+)_steps", name):
        return f"{found[1]}_nats_{found[2]}_steps_ahead"
    return name


def baseline_figures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the baselines of an evaluation, by their names in MLflow.

    FLAC stands beside the model, the others in a chart group of their own. ``bits_per_sample/below_flac``
    states how many bits a sample the model needs less than FLAC.

    Args:
        evaluation: the content of `evaluation.json`.
    """
    figures = {}
    for name, found in evaluation["baselines"].items():
        short = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        for unit in ("bits_per_sample", "nats_per_step"):
            if (value := found.get(unit)) is not None:
                figures[f"{unit}/flac" if short == "flac" else f"{unit}_of_baselines/{short}"] = value
    own, flac = evaluation["model"].get("bits_per_sample"), figures.get("bits_per_sample/flac")
    if own is not None and flac is not None:
        figures["bits_per_sample/below_flac"] = flac - own
    return figures
