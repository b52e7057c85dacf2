"""`wavecast generate`: generate audio without a recording to start from."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import (
    Json,
    Model,
    NoiseScale,
    Overwrite,
    Seed,
    TakesWanted,
    Temperature,
)
from pipeline.cli.output import emit
from pipeline.errors import UserError, print_line, printable
from pipeline.generation.options import DEFAULT_NOISE_SCALE, DEFAULT_TEMPERATURE, SamplingOptions

LENGTH_S = 10.0


EXAMPLES = [
    "generate -o new.wav --seconds 5",
    "generate -o new.wav --takes 4 --plot new.png --model gru",
    "generate --stream | aplay",
]


def generate(
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Output file: wav, flac, ogg, mp3, aiff."),
    ] = None,
    seconds: Annotated[
        float | None, Parameter(help="Length in seconds (default: 10; with --stream without end).")
    ] = None,
    stream: Annotated[
        bool,
        Parameter(help="Write until stopped: WAV to standard output, or to the output file.", negative=()),
    ] = False,
    raw: Annotated[
        bool, Parameter(help="Stream 16-bit little-endian samples without a header.", negative=())
    ] = False,
    model: Model = "",
    takes: TakesWanted = 1,
    seed: Seed = 0,
    temperature: Temperature = DEFAULT_TEMPERATURE,
    noise_scale: NoiseScale = DEFAULT_NOISE_SCALE,
    plot: Annotated[
        Path | None, Parameter(help="Picture of waveform and spectrogram to write, a PNG.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Generate audio without a recording to start from, once or as an endless stream.

    `wavecast generate --stream | aplay` plays while it generates. Use `--raw` for players without WAV.
    """
    from pipeline.cli.chosen_model import load_chosen
    from pipeline.generation.output_paths import check_prediction

    sampling = SamplingOptions(takes, seed, temperature, noise_scale)
    length_s = LENGTH_S if seconds is None else seconds
    if output is not None:
        check_prediction(output, length_s, takes, plot, overwrite)
    if not stream:
        from pipeline.generation.audio_files import generate_file

        if output is None:
            raise UserError("give --output FILE, or --stream", 2)
        trained, found = load_chosen(model, unfinished=True)
        facts = generate_file(
            trained, output, seconds=length_s, sampling=sampling, plot=plot, overwrite=overwrite
        )
        names = "\n".join(printable(take["output"]) for take in facts["takes"])
        emit({"model": found.label, **facts}, json, lambda: print(names))
        return
    from pipeline.generation.streaming import stream_to_file, stream_to_pipe

    if takes > 1 or plot or (raw and output):
        raise UserError("--stream generates one take, without --plot; --raw is for standard output", 2)
    if output is None and sys.stdout.name == os.devnull:  # a closed stream, replaced by the command line
        raise UserError("standard output is closed; give --output FILE", 2)
    if output is None and sys.stdout.isatty():
        raise UserError("a terminal cannot play samples; use wavecast generate --stream | aplay", 2)
    trained, _ = load_chosen(model, unfinished=True)
    if output is None:
        stream_to_pipe(trained, sampling, seconds, sys.stdout.buffer, raw)
    else:
        stream_to_file(trained, sampling, seconds, output)
        print_line(output)
