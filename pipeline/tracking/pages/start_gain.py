"""What a training cost and gained that started from another model, beside a training from new weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CostRow:
    """One row: what was trained, its minutes, and its validation loss; None where it is not recorded."""

    what: str
    minutes: float | None
    loss: float | None


@dataclass(frozen=True)
class StartGain:
    """Cost and gain of a training that started from another model.

    Attributes:
        unit: of the losses.
        rows: the model at the start, the training, and the recorded training from new weights.
        gained: reduction of the validation loss.
        sentence: the same in words.
    """

    unit: str
    rows: tuple[CostRow, ...]
    gained: float
    sentence: str


def start_gain(status: Mapping[str, Any]) -> StartGain | None:
    """Return what a finished training cost and gained; None if it started from new weights.

    Args:
        status: the content of `status.json`.
    """
    summary = status.get("summary", {})
    if "start_minutes" not in summary:
        return None
    exact = "start_valid_bits_at_start" in summary
    unit = "bits per sample" if exact else "nats per step"
    before = summary["start_valid_bits_at_start" if exact else "start_valid_nats_per_step"]
    after = summary["start_valid_bits_at_end"] if exact else before - summary["start_gained_nats_per_step"]
    anew = summary.get("start_valid_bits_at_anew" if exact else "start_anew_valid_nats_per_step")
    minutes, origin = summary["start_minutes"], str(status.get("start", {}).get("from", "another model"))
    rows = [
        CostRow(f"the model that it started from, {origin}", None, before),
        CostRow("this training", minutes, after),
    ]
    text = (
        f"{minutes:.1f} min of training from the weights of {origin} improved the validation loss by "
        f"{before - after:.3f} {unit}, from {before:.3f} to {after:.3f}"
    )
    if (recorded := summary.get("start_anew_minutes")) is not None:
        run = summary.get("start_anew_run") or "that model's"
        rows.append(CostRow(f"a training from new weights, as recorded of {run}", recorded, anew))
        reached = "" if anew is None else f" and reached {anew:.3f} on the validation recordings of then"
        text += f". A training from new weights took {recorded:.1f} min{reached}, as recorded of {run}"
    return StartGain(unit, tuple(rows), before - after, text)
