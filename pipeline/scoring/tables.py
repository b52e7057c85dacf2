"""Files of scores: a table (CSV), JSON, or arrays (NPZ), all with the same numbers."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.files import atomic_path, check_overwrite
from pipeline.common.places import Place
from pipeline.errors import UserError
from pipeline.scoring.thresholds import Verdict
from pipeline.scoring.windows import RecordingScore, overall

Scores = Mapping[Place, RecordingScore]


def check_scores_output(path: Path, overwrite: bool) -> None:
    """Check that scores can be written to a path.

    Args:
        path: the file to be written.
        overwrite: whether an existing file may be replaced.

    Raises:
        UserError: the suffix is of none of the formats, or the file exists and may not be replaced.
    """
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: a file of scores ends in {', '.join(WRITERS)}", 2)
    check_overwrite(path, overwrite)


def write_scores(path: Path, scores: Scores, facts: Mapping[str, Any]) -> None:
    """Write the figures of all windows of all recordings, in the format of the suffix.

    A table has a line for each window. JSON is ``facts`` with `series` in each recording. Arrays are
    described at `_write_npz`.

    Args:
        path: .csv, .json or .npz file.
        scores: the score of each recording.
        facts: see `scores_facts`.
    """
    with atomic_path(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, scores, facts)


def scores_facts(
    scores: Scores, verdicts: Mapping[Place, Verdict], refused: Sequence[Place] = ()
) -> dict[str, Any]:
    """Return the figures of all recordings together, then of each, as plain values.

    Args:
        scores: the score of each recording, all with one model and one window.
        verdicts: results of the comparison with a threshold, where there is one.
        refused: recordings that were rejected.
    """
    return {
        **overall(list(scores.values()))._asdict(),
        "seconds": sum(score.seconds for score in scores.values()),
        "window_s": next(iter(scores.values())).window_s,
        "recordings": [
            {
                "recording": str(path),
                "nats_per_step": score.nats_per_step,
                "bits_per_sample": score.bits_per_sample,
                "bits_with_experts": score.bits_with_experts,
                "seconds": score.seconds,
                **(asdict(verdicts[path]) if path in verdicts else {}),
            }
            for path, score in scores.items()
        ],
        "refused": [str(path) for path in refused],
    }


def _series(score: RecordingScore) -> dict[str, np.ndarray]:
    """Return start and figures of the windows, each (S,)."""
    series = {"start_s": score.start_s, "nats_per_step": score.nats_per_step_series}
    bits = score.bits_per_sample_series
    return series if bits is None else series | {"bits_per_sample": bits}


def _write_csv(path: Path, scores: Scores, facts: Mapping[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["recording", *_series(next(iter(scores.values())))])
        for name, score in scores.items():
            columns = (column.tolist() for column in _series(score).values())
            table.writerows([str(name), *row] for row in zip(*columns, strict=True))


def _write_json(path: Path, scores: Scores, facts: Mapping[str, Any]) -> None:
    series = ({name: column.tolist() for name, column in _series(score).items()} for score in scores.values())
    recordings = [
        {**recording, "series": own} for recording, own in zip(facts["recordings"], series, strict=True)
    ]
    path.write_text(json.dumps({**facts, "recordings": recordings}, allow_nan=False) + "\n")


def _write_npz(path: Path, scores: Scores, facts: Mapping[str, Any]) -> None:
    """Write the columns of the table, each (S,), over all recordings in turn.

    `recordings` (R,) are their names. Recording r has the windows `offset[r]` to `offset[r + 1]`.
    """
    each = [_series(score) for score in scores.values()]
    columns: dict[str, Any] = {name: np.concatenate([series[name] for series in each]) for name in each[0]}
    columns["recordings"] = np.array([str(name) for name in scores])
    columns["offset"] = np.cumsum([0, *(len(score.start_s) for score in scores.values())])
    with path.open("wb") as file:
        np.savez_compressed(file, **columns)


Writer = Callable[[Path, Scores, Mapping[str, Any]], None]
WRITERS: dict[str, Writer] = {".csv": _write_csv, ".json": _write_json, ".npz": _write_npz}
