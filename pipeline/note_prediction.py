"""Continuing a piece of music: notes in, notes out, as MIDI and as a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.artifacts import TrainedModel
from pipeline.config_input import PianoRollConfig
from pipeline.errors import RecordingRefused, UserError
from pipeline.features import row_rate_hz
from pipeline.generation import continue_rows
from pipeline.midi import write_midi
from pipeline.note_plots import piano_roll_picture
from pipeline.piano_roll import read_sequence


def continue_notes(
    model: TrainedModel,
    piece: Path,
    output: Path,
    *,
    seconds: float,
    temperature: float,
    seed: int,
    only_continuation: bool,
    plot: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Continue a MIDI file, or one sequence of a set (`FILE#NAME`), at the model's tempo.

    See `pipeline.prediction.predict`. Raises `UserError` where the model is not of notes or the piece cannot
    be read.
    """
    config = model.input
    if not isinstance(config, PianoRollConfig):
        raise UserError(f"{output}: this model continues sound; name a sound file, or another model")
    try:
        sequence = read_sequence(piece, config.steps_per_quarter)
    except RecordingRefused as refusal:
        raise UserError(f"{piece}: {refusal}") from None
    heard = torch.from_numpy(sequence.notes)
    rate_hz = row_rate_hz(config)
    added = continue_rows(model, heard, max(1, round(seconds * rate_hz)), temperature, seed).numpy()
    roll = added if only_continuation else np.concatenate([sequence.notes, added])
    write_midi(output, roll, config.steps_per_quarter, config.quarters_per_minute, overwrite)
    seam_s = 0.0 if only_continuation else len(heard) / rate_hz
    if plot is not None:
        piano_roll_picture(plot, roll, rate_hz, seam_s or None, f"{piece.name}, continued")
    return {
        "output": str(output),
        "plot": str(plot) if plot else None,
        "steps_per_second": rate_hz,
        "recording_seconds": len(heard) / rate_hz,
        "continuation_seconds": len(added) / rate_hz,
        "seam_seconds": seam_s,
        "notes": list(sequence.remarks),
    }
