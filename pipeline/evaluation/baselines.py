"""Registry of baselines: simple models, scored on the same recordings as a trained model for comparison.

All are fitted on the training split only. A further baseline is one function, which may have a file of its
own, and one line of `BASELINES`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from pipeline.common.files import read_json, write_json
from pipeline.config.types import Split
from pipeline.data.dataset import Dataset
from pipeline.errors import UserError, print_notice
from pipeline.evaluation import frame_baselines, note_baselines, waveform_baselines
from pipeline.evaluation.baseline import Baseline, Comparison, Figures
from pipeline.evaluation.frame_baselines import are_frames
from pipeline.evaluation.note_baselines import are_notes
from pipeline.evaluation.waveform_baselines import are_samples

BASELINES = [
    Baseline("uniform", are_samples, waveform_baselines.uniform, 2),
    Baseline("fixed Gaussian", are_samples, waveform_baselines.fixed_gaussian, 2),
    Baseline("linear predictor ({order})", are_samples, waveform_baselines.linear_predictor, 2),
    Baseline("FLAC", are_samples, waveform_baselines.flac),
    Baseline("adaptive predictor", are_samples, waveform_baselines.adaptive_predictor),
    Baseline("fixed Gaussian", are_frames, frame_baselines.fixed_gaussian),
    Baseline("last frame again", are_frames, frame_baselines.last_frame),
    Baseline("note frequencies", are_notes, note_baselines.frequencies),
    Baseline("last frame again", are_notes, note_baselines.last_frame),
]
"""All baselines, in the order of tables."""


class KeptFigures(TypedDict):
    """The figures of one baseline as they are kept."""

    nats: float | None
    bits: float | None
    version: NotRequired[int]


def baselines(dataset: Dataset, split: Split, linear_order: int) -> dict[str, Figures]:
    """Return the figures of all baselines of a split, by name.

    They are kept beside the data set, since every model shares them. A baseline is computed only if it is not
    kept, or was kept by another version of it.

    Args:
        dataset: a prepared data set.
        split: the split that is scored.
        linear_order: order of the linear predictors.

    Raises:
        UserError: the split or the training split is empty.
    """
    path = dataset.path.parent / f"baselines-{split}-{linear_order}.json"
    kept = _kept(path)
    asked = {b.name.format(order=linear_order): b for b in BASELINES if b.applies(dataset.representation)}
    missing = {name: b for name, b in asked.items() if not _is_current(kept.get(name), b)}
    if missing:
        dataset.require(split)
        dataset.require("train")
        comparison = Comparison(dataset, split, linear_order)
        for name, baseline in missing.items():
            kept[name] = {**asdict(baseline.score(comparison)), "version": baseline.version}
        write_json(path, kept)
    return {name: Figures(kept[name]["nats"], kept[name]["bits"]) for name in asked}


def _kept(path: Path) -> dict[str, Any]:
    """Return the figures that are kept; none where the file is missing, or damaged, which is reported."""
    if not path.exists():
        return {}
    try:
        return dict(read_json(path, "table of baselines", dict[str, KeptFigures]))
    except UserError as problem:
        print_notice(f"{str(problem).partition(';')[0]}; the baselines are computed again")
        return {}


def _is_current(kept: dict[str, Any] | None, baseline: Baseline) -> bool:
    """Whether figures are kept, of this version; those kept before there were versions are of the first."""
    return kept is not None and kept.get("version", 1) == baseline.version
