"""`wavecast predict`: continue recordings."""

import functools
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pipeline.cli.arguments import (
    Json,
    Model,
    NoiseScale,
    Output,
    Overwrite,
    Seed,
    Sounds,
    TakesWanted,
    Temperature,
)
from pipeline.cli.inputs import (
    each_sound,
    files_of,
    find_sounds,
    is_many,
    output_paths,
    place_results,
)
from pipeline.cli.output import print_json
from pipeline.common.places import Place, local_copy
from pipeline.errors import print_line
from pipeline.generation.options import (
    DEFAULT_NOISE_SCALE,
    DEFAULT_SECONDS,
    DEFAULT_TEMPERATURE,
    Mode,
    SamplingOptions,
)

CONSIDERABLE = 0.05
"""Smallest share of a continuation with reduced level that is reported in the text output."""
EXAMPLES = [
    "predict talk.wav -o continued.wav",
    "predict talk.wav -o continued.wav --seconds 5 --takes 8 --plot continued.png",
    "predict recordings/ -o continued/ --model gru --json",
]


def predict(
    recordings: Sounds,
    /,
    *,
    output: Output,
    seconds: Annotated[float, Parameter(help="Length of the continuation in seconds.")] = DEFAULT_SECONDS,
    model: Model = "",
    takes: TakesWanted = 1,
    seed: Seed = 0,
    temperature: Temperature = DEFAULT_TEMPERATURE,
    noise_scale: NoiseScale = DEFAULT_NOISE_SCALE,
    mode: Annotated[
        Mode,
        Parameter(
            help="Choice of each sample: `sample` draws it, `mean` is the mixture's mean, `likely` is the "
            "mean of the most likely component."
        ),
    ] = "sample",
    trim_end: Annotated[
        float, Parameter(name="--trim-end", help="Seconds to remove from the recording's end first.")
    ] = 0.0,
    context: Annotated[
        float | None,
        Parameter(
            help="Seconds before the continuation that the model is conditioned on (default: the whole "
            "recording)."
        ),
    ] = None,
    crossfade: Annotated[
        float, Parameter(help="Seconds over which the recording fades into the continuation.")
    ] = 0.0,
    output_rate: Annotated[
        Literal["model", "input"],
        Parameter(name="--output-rate", help="Sample rate of the output: the model's or the recording's."),
    ] = "model",
    only_continuation: Annotated[
        bool, Parameter(help="Write the continuation without the recording.", negative=())
    ] = False,
    plot: Annotated[
        Path | None,
        Parameter(
            help="Picture of waveform and spectrogram to write, a PNG; a folder if there are several "
            "recordings."
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Continue recordings: the model is conditioned on each recording and generates the samples after it.

    The suffix of the output chooses the format: wav, flac, ogg, mp3, aiff; mid for a model of notes. The
    continuations of several recordings are written into a folder, as wav.
    """
    from pipeline.common.files import check_replacing
    from pipeline.generation.audio_files import continue_file
    from pipeline.generation.continuation import JoinOptions
    from pipeline.generation.output_paths import check_prediction, take_paths

    join = JoinOptions(trim_end, context, crossfade)
    sampling = SamplingOptions(takes, seed, temperature, noise_scale, mode)
    rejected: list[Place] = []
    sounds = find_sounds(recordings, rejected)
    many = is_many(recordings, sounds)
    suffix = ".mid" if all(is_midi(sound) for sound in sounds) else ".wav"
    places = place_results(sounds, output, suffix, many)
    pictures = output_paths(sounds, plot, ".png", many, overwrite) if plot else [None] * len(sounds)
    for place, picture in zip(places, pictures, strict=True):
        check_prediction(place, seconds, takes, picture, overwrite)
        check_replacing(take_paths(place, takes), files_of(sounds))
    targets = dict(zip(sounds, zip(places, pictures, strict=True), strict=True))
    load = functools.cache(lambda: _load(model))
    if many:  # a model that cannot be loaded is reported once, not for each recording
        load()
    found: list[dict[str, Any]] = []

    def work(sound: Place) -> dict[str, Any]:
        place, picture = targets[sound]
        with local_copy(sound) as local:
            facts = continue_file(
                lambda: load()[0],
                local,
                place,
                seconds=seconds,
                sampling=sampling,
                join=join,
                own_rate=output_rate == "input",
                only_continuation=only_continuation,
                plot=picture,
                overwrite=overwrite,
            )
        return {**facts, "recording": str(sound), "model": load()[1]}

    for _, facts in each_sound(sounds, work, rejected):
        found.append(facts)
        if not json:
            _print(facts)
    if json:
        print_json(found, many)
    if rejected:
        sys.exit(1)


def is_midi(path: Place) -> bool:
    """Return whether the name is that of a MIDI file."""
    from pipeline.music.midi import READ_SUFFIXES

    return path.suffix.lower() in READ_SUFFIXES


def _load(model: str) -> tuple[Any, str]:
    from pipeline.cli.chosen_model import load_chosen

    trained, found = load_chosen(model, unfinished=True)
    trained.require_draws()
    return trained, found.label


def _print(facts: dict[str, Any]) -> None:
    rate = f" at {facts['sample_rate']} Hz" if "sample_rate" in facts else ""
    print(f"read {facts['recording_seconds']:.2f} s, added {facts['continuation_seconds']:.2f} s{rate}")
    for take in facts["takes"]:
        nats, distance_db = take.get("nats_per_step"), take.get("distance_db")
        figures = [] if distance_db is None else [f"{distance_db:.1f} dB from the recording's spectrum"]
        figures += [] if nats is None else [f"{nats:.2f} nats per step"]
        print_line(f"{take['output']}  {', '.join(figures)}".rstrip())
        reduced_s = (take.get("limiter") or {}).get("gain_reduced_seconds") or 0.0
        share = reduced_s / max(facts["continuation_seconds"], 1e-9)
        if share >= CONSIDERABLE:
            print(
                f"  The continuation became louder than any training recording; its level was reduced "
                f"in {share:.0%} of its length. A lower --temperature may help."
            )
    if facts["plot"]:
        print_line(facts["plot"])
