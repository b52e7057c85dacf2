"""`wavecast generate`: sound from nothing, once or without end."""

import json as json_format
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import (
    Json,
    Model,
    Overwrite,
    Seed,
    Spread,
    TakesWanted,
    Temperature,
)
from pipeline.errors import UserError
from pipeline.generation.options import Sampling

LENGTH_S = 10.0


def generate(
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Sound file to write: wav, flac, ogg, mp3, aiff."),
    ] = None,
    seconds: Annotated[
        float | None, Parameter(help="How long; 10 when left out, without end when streaming.")
    ] = None,
    stream: Annotated[
        bool,
        Parameter(help="Go on until stopped, to standard output as WAV, or to the file.", negative=()),
    ] = False,
    raw: Annotated[
        bool, Parameter(help="Stream bare 16-bit little-endian samples, without a header.", negative=())
    ] = False,
    model: Model = "",
    takes: TakesWanted = 1,
    seed: Seed = 0,
    temperature: Temperature = 0.9,
    spread: Spread = None,
    plot: Annotated[Path | None, Parameter(help="Also draw waveform and spectrogram to this PNG.")] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Make sound from nothing: the model hears only itself.

    Listen while it is made: `wavecast generate --stream | aplay`, or with `--raw` for other players.
    """
    from pipeline.generation.output_paths import check_prediction
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    sampling = Sampling(takes, seed, temperature, spread)
    length_s = LENGTH_S if seconds is None else seconds
    if output is not None:
        check_prediction(output, length_s, takes, plot, overwrite)
    if not stream:
        from pipeline.generation.audio_files import generate_file

        if output is None:
            raise UserError("say where to: --output FILE, or --stream", 2)
        trained = load_model(fetch_model(model), "auto")
        facts = generate_file(
            trained, output, seconds=length_s, sampling=sampling, plot=plot, overwrite=overwrite
        )
        print(json_format.dumps(facts, indent=2) if json else "\n".join(t["output"] for t in facts["takes"]))
        return
    from pipeline.generation.streaming import stream_to_file, stream_to_pipe

    if takes > 1 or plot or (raw and output):
        raise UserError("a stream is one take, without a picture; --raw is for standard output", 2)
    if output is None and sys.stdout.name == os.devnull:  # which is how the command line takes a closed one
        raise UserError("standard output is closed; give --output FILE", 2)
    if output is None and sys.stdout.isatty():
        raise UserError("a stream of samples is not for a terminal: wavecast generate --stream | aplay", 2)
    trained = load_model(fetch_model(model), "auto")
    if output is None:
        stream_to_pipe(trained, sampling, seconds, sys.stdout.buffer, raw)
    else:
        stream_to_file(trained, sampling, seconds, output)
        print(output)
