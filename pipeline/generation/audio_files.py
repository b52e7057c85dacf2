"""Continuation and generation of sound or notes from file to file, as in `wavecast predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.decode import naming, open_decoding
from pipeline.audio.spooled import blocks_of
from pipeline.audio.write import check_output, open_sound
from pipeline.errors import UserError
from pipeline.generation.continuation import END_TO_END, Continuation, JoinOptions
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.generation.output_paths import check_prediction, take_paths
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import SUFFIXES


def continue_file(
    load: Callable[[], TrainedModel],
    recording: Path,
    output: Path,
    *,
    seconds: float,
    sampling: SamplingOptions,
    join: JoinOptions = END_TO_END,
    own_rate: bool = False,
    only_continuation: bool = False,
    plot: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Continue ``recording`` by ``seconds`` and write each take, the nearest to the recording first.

    Args:
        load: returns the model: of sound, or of notes where ``recording`` and ``output`` are MIDI files. It
            is called after the header of ``recording`` has been read.
        recording: sound or MIDI file. Sound is converted to the model's rate.
        output: file of one take; several are written to NAME-1, NAME-2, ... (see `take_paths`).
        seconds: length of the continuation.
        sampling: number of takes and options of the draws.
        join: how recording and continuation are joined.
        own_rate: write sound at the recording's sample rate, not the model's. The recording's samples are
            then not converted.
        only_continuation: leave the recording out.
        plot: picture of the first take to write, with the seam marked.
        overwrite: replace files that exist.

    Returns:
        Paths, rates, lengths and takes, as values that can be written as JSON.

    Raises:
        RecordingRejected: the recording cannot be used.
        UserError: an option, an output or the model does not fit.
    """
    check_prediction(output, seconds, sampling.takes, plot, overwrite)
    if output.suffix.lower() in SUFFIXES:
        from pipeline.generation.midi_files import continue_notes

        if join != END_TO_END or own_rate:
            raise UserError("trimmed end, context, cross-fade and rate apply to sound, not to notes", 2)
        model = load()
        return continue_notes(model, recording, output, seconds, sampling, only_continuation, plot, overwrite)
    with naming(recording), open_decoding(recording) as opened:
        model = load()
        ours = model.audio.sample_rate
        context, own = opened.spool_both(ours, output) if own_rate else (opened.spool(ours, output), None)
    facts, rate = opened.facts, opened.info.sample_rate
    found = continue_samples(model, context, seconds, sampling, join)
    if own is not None:
        found = found.at_rate(own, rate)
    written = _write(found, output, only_continuation, overwrite)
    seam_s = 0.0 if only_continuation else found.seam_s
    if plot is not None:
        from pipeline.plots.runs import plot_recording

        sound = found.added[0] if only_continuation else found.sound(0)
        plot_recording(plot, sound, found.sample_rate, seam_s or None, f"{recording.name}, continued")
    return {
        "recording": str(recording),
        "output": written[0]["output"],
        "takes": written,
        "plot": str(plot) if plot else None,
        "sample_rate": found.sample_rate,
        "recording_seconds": facts.samples / model.audio.sample_rate,
        "recording_sample_rate": rate,
        "continuation_seconds": found.added.shape[1] / found.sample_rate,
        "seam_seconds": seam_s,
        "notes": list(facts.notes),
        **model.engine(),
    }


def generate_file(
    model: TrainedModel,
    output: Path,
    *,
    seconds: float,
    sampling: SamplingOptions,
    plot: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Generate sound without a recording and write each take.

    Args:
        model: model of sound.
        output: file of one take; several are written to NAME-1, NAME-2, ... (see `take_paths`).
        seconds: length of the sound.
        sampling: number of takes and options of the draws.
        plot: picture of the first take to write.
        overwrite: replace files that exist.

    Returns:
        Paths, rate, length and takes, as values that can be written as JSON.

    Raises:
        UserError: an option, an output or the model does not fit.
    """
    check_prediction(output, seconds, sampling.takes, plot, overwrite)
    found = continue_samples(model, np.zeros(0, np.int16), seconds, sampling)
    written = _write(found, output, True, overwrite)
    if plot is not None:
        from pipeline.plots.runs import plot_recording

        plot_recording(plot, found.added[0], found.sample_rate, None, "generated")
    facts = {"output": written[0]["output"], "takes": written, "plot": str(plot) if plot else None}
    facts |= {"sample_rate": found.sample_rate, "seconds": found.added.shape[1] / found.sample_rate}
    return {**facts, **model.engine()}


def _write(found: Continuation, output: Path, alone: bool, overwrite: bool) -> list[dict[str, Any]]:
    written = []
    for take, path in enumerate(take_paths(output, len(found.seeds))):
        check_output(path, overwrite)
        with open_sound(path, found.sample_rate) as write:
            for block in blocks_of(*([] if alone else [found.before]), found.added[take]):
                write(block)
        nats = None if found.nats_per_step is None else found.nats_per_step[take]
        distance_db = None if found.distance_db is None else found.distance_db[take]
        facts = {"output": str(path), "seed": found.seeds[take], "nats_per_step": nats}
        facts["distance_db"] = distance_db
        written.append({**facts, "limiter": found.limiter[take]})
    return written
