"""Limits on requests to a served model, so that none occupies it for hours or fills its memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.model.trained_model import TrainedModel

MOST_ROWS = 64
MOST_VALUES = 1 << 24
"""Of the whole context: 17 minutes of sound at 16 kHz."""
MOST_SECONDS = 600.0
"""Of all continuations of a request together."""
HIGHEST_TEMPERATURE = 100.0
LARGEST_SEED = 1 << 62
LARGEST_SAMPLE, LARGEST_MAGNITUDE = 8.0, 1e3
"""Largest sample, 1 being full scale, and largest logarithm of a magnitude."""


def check_request(model: TrainedModel, rows: Any, settings: Mapping[str, Any]) -> None:
    """Check a request for continuations before anything is computed.

    Args:
        model: the served model.
        rows: the contexts, (B, N) samples or (B, T, D) frames or notes.
        settings: `seconds`, `temperature` and `seed`.

    Raises:
        UserError: a value is not finite or of another shape, or the request asks for too much.
    """
    representation = model.representation
    form = "(B, N)" if representation.rows_are_samples else f"(B, T, {representation.row_width})"
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiub":
        raise UserError("the context must be an array of numbers", 2)
    width = () if representation.rows_are_samples else (representation.row_width,)
    if rows.ndim != 2 + len(width) or rows.shape[2:] != width:
        raise UserError(f"the context has shape {rows.shape}, not {form}", 2)
    if not 1 <= len(rows) <= MOST_ROWS or rows.size > MOST_VALUES:
        raise UserError(f"give 1 to {MOST_ROWS} rows, of at most {MOST_VALUES:,} values together", 2)
    largest = LARGEST_SAMPLE if representation.rows_are_samples else LARGEST_MAGNITUDE
    if not (np.abs(rows.astype(np.float64)) <= largest).all():
        raise UserError(f"the context must be finite, and its values at most {largest:g}", 2)
    most_s = MOST_SECONDS / len(rows)
    for name, kinds, lowest, highest in (
        ("seconds", int | float | np.number, 0.0, most_s),
        ("temperature", int | float | np.number, 0.0, HIGHEST_TEMPERATURE),
        ("seed", int | np.integer, 0, LARGEST_SEED),
    ):
        value = settings[name]
        if not isinstance(value, kinds) or not lowest <= value <= highest:  # NaN is outside any range
            what = "a whole number" if name == "seed" else "a number"
            raise UserError(f"{name} must be {what} from {lowest:g} to {highest:g}", 2)
    if round(settings["seconds"] * model.row_rate_hz) < 1:
        raise UserError("seconds must be at least one step", 2)
