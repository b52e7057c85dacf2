"""The child process that checks files: a request a line on its input, an answer a line on its output."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from pipeline.audio.decode import open_decoding
from pipeline.audio.readers import open_file
from pipeline.errors import RecordingRejected
from pipeline.ingest.prediction_gain import PredictionGain
from pipeline.music.midi import read_midi

STEPS_PER_QUARTER = 4
QUARTERS_PER_SECOND = 2.0
"""The length of notes is counted at 120 quarters per minute."""
LONGEST_REASON = 500


def measure(path: Path, whole: bool, notes: bool, sample_rate: int | None = None) -> dict[str, float]:
    """Return the length of a file, `seconds`, and its prediction gain, `gain_db`, where that was measured.

    Args:
        path: the file.
        whole: decode all of it; else its header, where that states the length.
        notes: whether it is a file of notes.
        sample_rate: at which the gain is measured of a file that is decoded; None does not measure it. A file
            of another rate may have bands without sound, which would be predicted.

    Raises:
        RecordingRejected: it cannot be used.
    """
    if notes:
        with open_file(path) as file:
            roll, _ = read_midi(file, STEPS_PER_QUARTER)
        return {"seconds": len(roll) / (STEPS_PER_QUARTER * QUARTERS_PER_SECOND)}
    with open_decoding(path) as recording:
        info = recording.info
        if info.frames and not whole:
            return {"seconds": info.frames / info.sample_rate}
        gain, rate = PredictionGain(), sample_rate or info.sample_rate
        for block in recording.blocks(rate):
            if sample_rate:
                gain.add(block)
        measured = {"gain_db": gain.value_db()} if sample_rate else {}
        return {"seconds": recording.facts.samples / rate, **measured}


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        path = Path(os.fsdecode(bytes.fromhex(request["path"])))
        return measure(path, request["whole"], request["notes"], request["sample_rate"])
    except (RecordingRejected, OSError, MemoryError) as problem:
        return {"reason": " ".join((str(problem) or type(problem).__name__).split())[:LONGEST_REASON]}


def main() -> None:
    """Answer requests until standard input is closed."""
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print("ready", file=answers)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
