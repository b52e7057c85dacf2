"""`wavecast score`: a model's negative log-likelihood of recordings, in total and over time."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Overwrite, Sounds
from pipeline.cli.inputs import each_sound, files_of, find_sounds, is_many, output_paths
from pipeline.cli.output import emit, write_json_text
from pipeline.common.files import check_overwrite, check_replacing
from pipeline.common.places import Place, local_copy
from pipeline.errors import UserError

EXAMPLES = [
    "score talk.wav",
    "score normal/ --make-threshold usual.json",
    "score machine.wav --threshold usual.json --plot nll.png -o nll.csv",
]


def score(
    sounds: Sounds = (),
    /,
    *,
    model: Model = "",
    output: Annotated[
        Path | None,
        Parameter(
            name=["--output", "-o"],
            help="Table of the figures of each window of all recordings: a .csv, .json or .npz file.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        Parameter(
            help="Picture of spectrogram and surprisal to write, a PNG; a folder if there are several "
            "recordings."
        ),
    ] = None,
    window: Annotated[
        float | None,
        Parameter(help="Length of a scoring window in seconds (default: the threshold's window, else 0.1)."),
    ] = None,
    threshold: Annotated[
        Path | None, Parameter(help="Threshold file, from --make-threshold: report the windows above it.")
    ] = None,
    make_threshold: Annotated[
        Path | None,
        Parameter(
            help="Threshold file to write (JSON): treat these recordings as normal and fit a threshold."
        ),
    ] = None,
    quantile: Annotated[
        float, Parameter(help="Share of the normal recordings' windows that lie below the threshold.")
    ] = 0.99,
    labels: Annotated[
        Path | None,
        Parameter(
            help="CSV table with columns path and label (1 anomalous, 0 normal): report how well the scores "
            "separate them."
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Score recordings by a model's negative log-likelihood, in total and over time; find anomalies.

    Prints exact bits per sample and nats per step. A high figure means that the model did not predict the
    recording. Without recordings, those of --labels are scored.
    """
    from pipeline.cli.chosen_model import choose_model
    from pipeline.cli.text import score as text
    from pipeline.scoring import thresholds
    from pipeline.scoring.detection_metrics import labels_of, read_labels, separation
    from pipeline.scoring.plot import score_with_picture
    from pipeline.scoring.recordings import DEFAULT_WINDOW_S, whole_window_s
    from pipeline.scoring.tables import check_scores_output, scores_facts, write_scores
    from pipeline.scoring.windows import RecordingScore

    if make_threshold is not None and (threshold or labels):
        raise UserError("--make-threshold needs normal recordings; leave out --threshold and --labels", 2)
    thresholds.check_quantile(quantile)
    held = thresholds.read_threshold(threshold) if threshold else None
    table = read_labels(labels) if labels else {}
    rejected: list[Place] = []
    recordings = find_sounds(sounds, rejected) if sounds or not table else list(table)
    marks = labels_of(recordings, table) if labels else {}
    if output is not None:
        check_scores_output(output, overwrite)
    if make_threshold is not None:
        check_overwrite(make_threshold, overwrite)
    written = [path for path in (output, make_threshold) if path]
    check_replacing(written, [*files_of(recordings), *filter(None, (threshold, labels))])
    pictures = _pictures(sounds, recordings, plot, overwrite)
    chosen = choose_model(model, unfinished=True)
    trained, identity = chosen.load("auto"), thresholds.model_identity(chosen.folder)
    if window is None:
        window = held.window_s if held else DEFAULT_WINDOW_S
    window_s = whole_window_s(trained, window)
    if held:
        thresholds.check_same_scoring(held, identity, window_s)

    def work(path: Place) -> RecordingScore:
        with local_copy(path) as local:
            return score_with_picture(trained, local, window_s, pictures.get(path), held)

    scores: dict[Place, RecordingScore] = {}
    verdicts: dict[Place, thresholds.Verdict] = {}
    for path, found in each_sound(recordings, work, rejected):
        if held:
            verdicts[path] = thresholds.judge(found, held)
        if not json:
            text.print_score(path, found, verdicts.get(path), first=not scores)
        scores[path] = found
    if not scores:
        if json:
            write_json_text({"recordings": [], "refused": list(map(str, rejected))})
        sys.exit(1)

    facts = {"model": str(chosen.folder), **scores_facts(scores, verdicts, rejected)}
    if held:
        facts["threshold"] = asdict(held)
    if make_threshold is not None:
        made = thresholds.make_threshold(list(scores.values()), quantile, identity)
        thresholds.write_threshold(make_threshold, made)
        facts["threshold"] = asdict(made)
    if output is not None:
        write_scores(output, scores, facts)
    if labels:
        facts["labels"] = separation(scores, marks)
    written = [path for path in (make_threshold, output, plot) if path]
    emit(facts, json, lambda: text.print_conclusion(facts, written))
    if rejected:
        sys.exit(1)


def _pictures(
    named: Sequence[str], recordings: Sequence[Place], plot: Path | None, overwrite: bool
) -> dict[Place, Path]:
    """Return the picture's path for each recording; none without ``plot``."""
    if plot is None:
        return {}
    many = is_many(named, recordings) if named else True
    if not many and plot.suffix.lower() != ".png":
        raise UserError(f"{plot}: the name of a picture must end in .png", 2)
    places = output_paths(recordings, plot, ".png", many, overwrite)
    return dict(zip(recordings, places, strict=True))
