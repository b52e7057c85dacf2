"""`wavecast conceal`: fill what packets lost, or other gaps."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Output, Overwrite
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths, print_json
from pipeline.errors import UserError


def conceal(
    *sounds: Annotated[str, Parameter(help="Sound files at any rate, folders of them, or patterns.")],
    output: Output,
    model: Model = "",
    method: Annotated[
        Literal["model", "blend", "ar", "repeat", "zero"] | None,
        Parameter(
            help="With the model; without one: linear predictor and repetition from both sides, either of "
            "them from the left, or silence. When left out: model where one is named, else blend."
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        Parameter(
            help="Text file with a 0 (arrived) or 1 (lost) for every packet, separated by blanks or lines."
        ),
    ] = None,
    packet: Annotated[float, Parameter(help="Milliseconds that an entry of the trace stands for.")] = 20.0,
    gaps: Annotated[Path | None, Parameter(help="CSV table with the columns start_s,end_s.")] = None,
    shortest: Annotated[
        float, Parameter(help="Without trace or table: zeros for so many milliseconds are a gap.")
    ] = 5.0,
    seed: Annotated[int, Parameter(help="Of the model's draws.")] = 0,
    plot: Annotated[
        Path | None, Parameter(help="Also draw the longest gaps to this PNG; of one sound.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Fill gaps in recordings: what packets lost, what a table lists, or where there are only zeros.

    Zeros count as a gap between sounds alone, and for half a second at most: longer ones are silence. The
    result is mono, at the model's rate; without a model at the recording's own.
    """
    from pipeline.audio.write import check_output
    from pipeline.common.progress import progress_bar
    from pipeline.concealment.files import GapSource, conceal_file
    from pipeline.concealment.methods import filler

    method = method or ("model" if model else "blend")
    source = GapSource(trace, gaps, packet / 1000, shortest / 1000)
    paths = find_sounds(sounds)
    many = is_many(sounds, paths)
    if many and (plot or trace or gaps):
        raise UserError("a trace, a table or a picture is of one sound: name one", 2)
    outputs = output_paths(paths, output, ".wav" if many else None, many, overwrite)
    for path in outputs:
        check_output(path, overwrite)
    trained = _load(model) if method == "model" else None
    how = filler(method, trained, seed)
    rate = trained.audio.sample_rate if trained else None
    results = dict(zip(paths, outputs, strict=True))
    refused: list[Path] = []
    with progress_bar("gaps") as bar:
        task = bar.add_task("conceal", total=None, note="")

        def work(sound: Path) -> dict[str, Any]:
            return conceal_file(
                sound,
                results[sound],
                source,
                how,
                rate,
                plot=plot,
                overwrite=overwrite,
                on_gap=lambda: bar.advance(task),
            )

        done = [facts for _, facts in each_sound(paths, work, refused)]
    _print(done, many, json)
    if refused:
        sys.exit(1)


def _load(model: str) -> Any:
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    return load_model(fetch_model(model))


def _print(done: list[dict[str, Any]], many: bool, as_json: bool) -> None:
    if as_json:
        print_json(done, many)
        return
    for facts in done:
        told = (
            "no gaps"
            if not facts["gaps"]
            else (
                f"{facts['gaps']} gaps, {facts['concealed_seconds']:.2f} s in all, "
                f"the longest {1000 * facts['longest_gap_seconds']:.0f} ms"
            )
        )
        print(f"{facts['output']}  {told}")
        if facts["plot"]:
            print(facts["plot"])
