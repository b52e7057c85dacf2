"""`wavecast conceal`: fill lost packets and other gaps in recordings."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Output, Overwrite, Seed, Sounds
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths
from pipeline.cli.output import print_json
from pipeline.common.places import Place, local_copy
from pipeline.errors import UserError, print_line

EXAMPLES = [
    "conceal call.wav -o repaired.wav",
    "conceal call.wav -o repaired.wav --model gru --loss-trace lost.txt --packet-ms 20",
    "conceal call.wav -o repaired.wav --gaps gaps.csv --plot gaps.png",
]


def conceal(
    sounds: Sounds,
    /,
    *,
    output: Output,
    model: Model = "",
    method: Annotated[
        Literal["model", "blend", "ar", "repeat", "zero"] | None,
        Parameter(
            help="Method: the model; `blend`, linear prediction from the left and repetition from both "
            "sides; `ar`, linear prediction; `repeat`, repetition; `zero`, silence (default: model if "
            "--model is given, else blend)."
        ),
    ] = None,
    loss_trace: Annotated[
        Path | None,
        Parameter(
            name="--loss-trace",
            help="Text file with a 0 (arrived) or a 1 (lost) for each packet, separated by blanks or lines.",
        ),
    ] = None,
    packet_ms: Annotated[float, Parameter(name="--packet-ms", help="Length of a packet in ms.")] = 20.0,
    gaps: Annotated[
        Path | None, Parameter(help="CSV table of the gaps, with columns start_s and end_s.")
    ] = None,
    min_gap_ms: Annotated[
        float,
        Parameter(
            name="--min-gap-ms",
            help="Shortest run of zeros in ms that is a gap, without --loss-trace and --gaps.",
        ),
    ] = 5.0,
    seed: Seed = 0,
    plot: Annotated[
        Path | None, Parameter(help="Picture of the longest gaps to write, a PNG; for one recording.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Fill gaps in recordings: lost packets, a table of gaps, or runs of zeros.

    A run of zeros is a gap only between other samples, and up to half a second; a longer run is silence. The
    output is mono. Its rate is the model's, or the recording's where no model is used.
    """
    from pipeline.audio.write import check_output
    from pipeline.cli.chosen_model import load_chosen
    from pipeline.common.progress import progress_bar
    from pipeline.concealment.files import GapSource, conceal_file
    from pipeline.concealment.methods import filler

    method = method or ("model" if model else "blend")
    source = GapSource(loss_trace, gaps, packet_ms / 1000, min_gap_ms / 1000)
    rejected: list[Place] = []
    paths = find_sounds(sounds, rejected)
    many = is_many(sounds, paths)
    if many and (plot or loss_trace or gaps):
        raise UserError("--loss-trace, --gaps and --plot apply to one recording; name one", 2)
    outputs = output_paths(paths, output, ".wav" if many else None, many, overwrite)
    for path in outputs:
        check_output(path, overwrite)
    trained = load_chosen(model, "cpu")[0] if method == "model" else None
    how = filler(method, trained, seed)
    rate = trained.audio.sample_rate if trained else None
    results = dict(zip(paths, outputs, strict=True))
    with progress_bar("gaps") as bar:
        task = bar.add_task("conceal", total=None, note="")

        def work(sound: Place) -> dict[str, Any]:
            with local_copy(sound) as local:
                return conceal_file(
                    local,
                    results[sound],
                    source,
                    how,
                    rate,
                    plot=plot,
                    overwrite=overwrite,
                    on_gap=lambda: bar.advance(task),
                )

        done = [facts for _, facts in each_sound(paths, work, rejected)]
    _print(done, many, json)
    if rejected:
        sys.exit(1)


def _print(done: list[dict[str, Any]], many: bool, as_json: bool) -> None:
    if as_json:
        print_json(done, many)
        return
    for facts in done:
        summary = (
            "no gaps"
            if not facts["gaps"]
            else (
                f"{facts['gaps']} gaps, {facts['concealed_seconds']:.2f} s in total, "
                f"the longest {1000 * facts['longest_gap_seconds']:.0f} ms"
            )
        )
        print_line(f"{facts['output']}  {summary}")
        if facts["plot"]:
            print_line(facts["plot"])
