"""Continuation of a piece of music from MIDI file to MIDI file, with a plot."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import RecordingRejected, UserError
from pipeline.generation.engine import free_run
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import write_midi


def continue_notes(
    model: TrainedModel,
    piece: Path,
    output: Path,
    seconds: float,
    sampling: SamplingOptions,
    only_continuation: bool,
    plot: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Continue a MIDI file, or one sequence of a set (`FILE#NAME`), at the model's tempo.

    Arguments and result are those of `pipeline.generation.audio_files.continue_file`.

    Raises:
        RecordingRejected: the piece cannot be read.
        UserError: the model is not one of notes, or a file cannot be written.
    """
    from pipeline.generation.output_paths import take_paths
    from pipeline.music.piano_roll import read_sequence

    notes = model.representation.notes
    if notes is None:
        raise UserError(f"{output}: this model continues sound; name a sound file, or another model")
    try:
        sequence = read_sequence(piece, notes.steps_per_quarter)
    except RecordingRejected as rejection:
        raise rejection.about(piece) from None
    rate_hz = model.row_rate_hz
    context, count = sequence.notes, max(1, round(seconds * rate_hz))
    takes = free_run(model, context, sampling).take(count)
    rolls = [added if only_continuation else np.concatenate([context, added]) for added in takes]
    paths = take_paths(output, sampling.takes)
    for path, roll in zip(paths, rolls, strict=True):
        write_midi(path, roll, notes.steps_per_quarter, notes.quarters_per_minute, overwrite)
    seam_s = 0.0 if only_continuation else len(context) / rate_hz
    if plot is not None:
        from pipeline.plots.piano_roll import plot_piano_roll

        plot_piano_roll(plot, rolls[0], rate_hz, seam_s or None, f"{piece.name}, continued")
    return {
        "recording": str(piece),
        "output": str(paths[0]),
        "takes": [{"output": str(path), "seed": sampling.seed + i} for i, path in enumerate(paths)],
        "plot": str(plot) if plot else None,
        "steps_per_second": rate_hz,
        "recording_seconds": len(context) / rate_hz,
        "continuation_seconds": count / rate_hz,
        "seam_seconds": seam_s,
        "notes": list(sequence.remarks),
    }
