"""Output paths of predictions, and their check before any work."""

import math
from pathlib import Path

from pipeline.audio.write import check_output
from pipeline.common.files import check_overwrite
from pipeline.errors import UserError
from pipeline.music.midi import SUFFIXES, check_midi_output


def take_paths(output: Path, takes: int) -> list[Path]:
    """Return the paths of a continuation's takes.

    Args:
        output: the path of a single take.
        takes: number of takes.

    Example:
        >>> [path.name for path in take_paths(Path("talk.wav"), 2)]
        ['talk-1.wav', 'talk-2.wav']
    """
    if takes == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, takes + 1)]


def check_prediction(output: Path, seconds: float, takes: int, plot: Path | None, overwrite: bool) -> None:
    """Check that all results of a prediction can be written.

    Args:
        output: file of the first take (see `take_paths`).
        seconds: length of the continuation.
        takes: number of takes.
        plot: picture to write.
        overwrite: whether existing files may be replaced.

    Raises:
        UserError: the length is not positive, a suffix is unknown, or a file exists.
    """
    if not 0 < seconds < math.inf:
        raise UserError(f"seconds={seconds:g}: give more than 0", 2)
    check = check_midi_output if output.suffix.lower() in SUFFIXES else check_output
    for path in take_paths(output, takes):
        check(path, overwrite)
    if plot is not None:
        check_overwrite(plot, overwrite)
