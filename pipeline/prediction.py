"""Continuing a recording, of sound or of notes: what `wavecast predict` does."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import load_model
from pipeline.audio import probe, read_mono
from pipeline.audio_write import check_output, write_audio
from pipeline.devices import choose_device
from pipeline.errors import RecordingRefused, UserError
from pipeline.files import refuse_overwrite
from pipeline.generation import continue_samples
from pipeline.midi import SUFFIXES, check_midi_output
from pipeline.note_prediction import continue_notes
from pipeline.registry import fetch_model


def predict(
    model: str | Path,
    recording: Path,
    output: Path,
    *,
    seconds: float,
    temperature: float = 1.0,
    seed: int = 0,
    only_continuation: bool = False,
    plot: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """Continue ``recording`` by ``seconds`` and write the result to ``output``.

    The recording is decoded and converted to the model's rate, the model's state is warmed on all of it, and
    recording plus continuation (or the continuation alone) are written as mono sound at that rate. Where
    ``output`` is a MIDI file, so is ``recording``, and the model is one of notes.

    ``model`` is a folder, `runs:/ID/model` or `models:/NAME@ALIAS`; empty means the registered champion.

    Returns:
        Facts on what was written, for people and machines.

    Raises `UserError` where model or recording cannot be used, or a file would be overwritten.
    """
    if not (seconds > 0 and temperature >= 0):
        raise UserError(
            f"seconds={seconds:g}, temperature={temperature:g}: give seconds > 0 and temperature >= 0", 2
        )
    of_notes = output.suffix.lower() in SUFFIXES
    (check_midi_output if of_notes else check_output)(output, overwrite)
    if plot is not None:
        refuse_overwrite(plot, overwrite)
    if not of_notes:
        _refuse_unreadable(recording)
    trained = load_model(fetch_model(str(model)), choose_device(device))
    if of_notes:
        return continue_notes(
            trained,
            recording,
            output,
            seconds=seconds,
            temperature=temperature,
            seed=seed,
            only_continuation=only_continuation,
            plot=plot,
            overwrite=overwrite,
        )
    rate = trained.audio.sample_rate
    heard, facts = read_mono(recording, rate)
    continuation = continue_samples(trained, heard, seconds, temperature, seed)
    sound = continuation if only_continuation else np.concatenate([heard, continuation])
    write_audio(output, sound, rate, overwrite)
    seam_s = 0.0 if only_continuation else len(heard) / rate
    if plot is not None:
        from pipeline.plots import recording_picture

        recording_picture(plot, sound, rate, seam_s or None, f"{recording.name}, continued")
    return {
        "output": str(output),
        "plot": str(plot) if plot else None,
        "sample_rate": rate,
        "recording_seconds": len(heard) / rate,
        "recording_sample_rate": facts.info.sample_rate,
        "continuation_seconds": len(continuation) / rate,
        "seam_seconds": seam_s,
        "notes": list(facts.notes),
    }


def _refuse_unreadable(recording: Path) -> None:
    """Say no by the file's header, before the model is fetched and loaded, which takes longer."""
    try:
        probe(recording)
    except RecordingRefused as refusal:
        raise UserError(f"{recording}: {refusal}") from None
