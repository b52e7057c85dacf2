"""Where the results of a prediction go, checked before any work."""

import math
from pathlib import Path

from pipeline.audio.write import check_output
from pipeline.common.files import check_overwrite
from pipeline.errors import UserError
from pipeline.music.midi import SUFFIXES, check_midi_output


def take_paths(output: Path, takes: int) -> list[Path]:
    """Where the takes of a continuation go: ``output`` itself, or NAME-1, NAME-2, ... of several."""
    if takes == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, takes + 1)]


def check_prediction(output: Path, seconds: float, takes: int, plot: Path | None, overwrite: bool) -> None:
    """Raise `UserError`, before any work, where a result could not be written or would replace another."""
    if not 0 < seconds < math.inf:
        raise UserError(f"seconds={seconds:g}: give more than 0", 2)
    check = check_midi_output if output.suffix.lower() in SUFFIXES else check_output
    for path in take_paths(output, takes):
        check(path, overwrite)
    if plot is not None:
        check_overwrite(plot, overwrite)
