"""`wavecast predict`: continue recordings."""

import functools
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pipeline.cli.arguments import (
    Json,
    Model,
    Output,
    Overwrite,
    Seed,
    Sounds,
    Spread,
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
    print_json,
)
from pipeline.generation.options import Kind, Sampling


def predict(
    recordings: Sounds,
    /,
    *,
    output: Output,
    seconds: Annotated[float, Parameter(help="How much to add.")] = 2.0,
    model: Model = "",
    takes: TakesWanted = 1,
    seed: Seed = 0,
    temperature: Temperature = 0.9,
    spread: Spread = None,
    kind: Annotated[
        Kind, Parameter(help="Draw, or take the mean, or the likeliest component's mean.")
    ] = "sample",
    cut: Annotated[float, Parameter(help="Leave out so many seconds of the recording's end first.")] = 0.0,
    context: Annotated[
        float | None, Parameter(help="Hear only the last so many seconds; all when left out.")
    ] = None,
    crossfade: Annotated[
        float, Parameter(help="Let the recording's last so many seconds fade into the continuation.")
    ] = 0.0,
    rate: Annotated[
        Literal["model", "input"],
        Parameter(help="Sample rate of the result: the model's or the recording's."),
    ] = "model",
    only_continuation: Annotated[bool, Parameter(help="Leave the recording out.", negative=())] = False,
    plot: Annotated[
        Path | None, Parameter(help="Also draw waveform and spectrogram to this PNG, or into this folder.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Continue recordings: the model hears them, then goes on from the last sample.

    The suffix chooses the format: wav, flac, ogg, mp3, aiff; mid for a model of notes. Of several recordings
    the continuations go into a folder, as wav.
    """
    from pipeline.common.files import refuse_replacing
    from pipeline.generation.audio_files import continue_file
    from pipeline.generation.continuation import Joint
    from pipeline.generation.output_paths import check_prediction, take_paths

    joint = Joint(cut, context, crossfade)
    sampling = Sampling(takes, seed, temperature, spread, kind)
    sounds = find_sounds(recordings)
    many = is_many(recordings, sounds)
    suffix = ".mid" if all(is_midi(sound) for sound in sounds) else ".wav"
    places = place_results(sounds, output, suffix, many)
    pictures = output_paths(sounds, plot, ".png", many, overwrite) if plot else [None] * len(sounds)
    for place, picture in zip(places, pictures, strict=True):
        check_prediction(place, seconds, takes, picture, overwrite)
        refuse_replacing(take_paths(place, takes), files_of(sounds))
    targets = dict(zip(sounds, zip(places, pictures, strict=True), strict=True))
    refused: list[Path] = []
    load = functools.cache(lambda: _load(model))
    if many:  # a model that cannot be loaded is reported once, not for each recording
        load()
    found: list[dict[str, Any]] = []

    def work(sound: Path) -> dict[str, Any]:
        place, picture = targets[sound]
        return continue_file(
            load,
            sound,
            place,
            seconds=seconds,
            sampling=sampling,
            joint=joint,
            own_rate=rate == "input",
            only_continuation=only_continuation,
            plot=picture,
            overwrite=overwrite,
        )

    for _, facts in each_sound(sounds, work, refused):
        found.append(facts)
        if not json:
            _print(facts)
    if json:
        print_json(found, many)
    if refused:
        sys.exit(1)


def is_midi(path: Path) -> bool:
    """Whether the name is that of a MIDI file."""
    from pipeline.music.midi import SUFFIXES

    return path.suffix.lower() in SUFFIXES


def _load(model: str) -> Any:
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    return load_model(fetch_model(model), "auto")


def _print(facts: dict[str, Any]) -> None:
    rate = f" at {facts['sample_rate']} Hz" if "sample_rate" in facts else ""
    print(f"heard {facts['recording_seconds']:.2f} s, added {facts['continuation_seconds']:.2f} s{rate}")
    for take in facts["takes"]:
        nats = take.get("nats_per_step")
        print(take["output"] + ("" if nats is None else f"  {nats:.2f} nats per step"))
        guard = take.get("guard") or {}
        if guard.get("first_seconds") is not None:
            print(
                f"  held back from {guard['first_seconds']:.2f} s on: turned down for "
                f"{guard['turned_down_seconds']:.3f} s, narrowed for {guard['narrowed_seconds']:.3f} s"
            )
    if facts["plot"]:
        print(facts["plot"])
