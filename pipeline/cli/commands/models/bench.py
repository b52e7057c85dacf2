"""Benchmark this machine: training, preparation and generation, against a plain PyTorch loop."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from pipeline.cli.arguments import Fast, Json, Model, Overwrite, Sounds
from pipeline.cli.config_arguments import Config, Settings, config_of, demo_recordings

if TYPE_CHECKING:
    from pipeline.audio.decode import Samples
    from pipeline.common.places import Place

BenchRecordings = Annotated[
    tuple[Path, ...], Parameter(help="Folders or sound files (default: the recordings of the demo).")
]
EXAMPLES = ["bench train", "bench generate --model gru --json", "bench conceal recordings/ --losses 0.1"]
bench = App(name="bench", help=__doc__)


@bench.command(name="train")
def bench_train(
    recordings: BenchRecordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Measure training steps per second, against a plain PyTorch loop."""
    from pipeline.benchmarks.training import bench_train as run_bench
    from pipeline.cli.bench_text import print_bench
    from pipeline.stages import prepare_stage

    chosen = config_of(config, settings, recordings or (demo_recordings(),))
    print_bench(run_bench(chosen, prepare_stage(chosen)), json)


@bench.command(name="prepare")
def bench_prepare(
    recordings: BenchRecordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Measure how much faster than real time recordings are prepared."""
    from pipeline.benchmarks.training import bench_prepare as run_bench
    from pipeline.cli.bench_text import print_bench

    print_bench(run_bench(config_of(config, settings, recordings or (demo_recordings(),))), json)


@bench.command(name="models")
def bench_models(*, json: Json = False) -> None:
    """Measure updates of every cell and head, with 1 and all threads, against a plain PyTorch loop."""
    from pipeline.benchmarks.models import bench_models as run_bench
    from pipeline.cli.bench_text import print_models_bench

    print_models_bench(run_bench(), json)


@bench.command(name="together")
def bench_together(
    *,
    models: Annotated[int, Parameter(help="Number of models that are trained together.")] = 10,
    json: Json = False,
) -> None:
    """Measure updates of small models: alone, several together, and in a plain PyTorch loop; one thread."""
    from pipeline.benchmarks.together import bench_together as run_bench
    from pipeline.cli.bench_text import print_together_bench
    from pipeline.cli.output import emit
    from pipeline.errors import UserError

    if models < 1:
        raise UserError("--models must be at least 1", 2)
    figures = run_bench(models)
    emit(figures, json, lambda: print_together_bench(figures))


@bench.command(name="growth")
def bench_growth(
    *,
    cell: Annotated[str, Parameter(help="Recurrent cell, as in model.cell.")] = "gru",
    hours: Annotated[
        tuple[float, ...],
        Parameter(help="Hours of audio to measure with; may be repeated. An hour is 115 MB on the disk."),
    ] = (0.1, 1.0, 10.0),
    quick: Annotated[bool, Parameter(help="Measure two small sizes for each axis.", negative=())] = False,
    plot: Annotated[Path | None, Parameter(help="Picture to write, a PNG file.")] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Measure speed and memory of training by hidden size, steps, sequences and hours of audio, on noise.

    One thread is measured, in processor time, beside the rates of the machine's products and memory.
    """
    from models.recurrent.cells import find_cell
    from pipeline.benchmarks.growth import axes
    from pipeline.cli.bench_text import print_growth_bench
    from pipeline.cli.output import emit
    from pipeline.common.files import check_overwrite, data_dir
    from pipeline.errors import UserError, print_notice
    from pipeline.plots.growth import plot_growth

    try:
        name = find_cell(cell).name
    except ValueError as problem:
        raise UserError(str(problem), 2) from None
    if min(hours, default=0) <= 0:
        raise UserError("--hours must be above 0", 2)
    if plot:
        check_overwrite(plot, overwrite)
    sizes, middle = (axes.QUICK_AXES, axes.QUICK_MIDDLE) if quick else (axes.AXES, axes.MIDDLE)
    if not quick:
        sizes = {**sizes, "hours": tuple(sorted(hours))}
    figures = axes.bench_growth(name, sizes, middle, folder=data_dir(), report=print_notice)
    emit(figures, json, lambda: print_growth_bench(figures))
    if plot:  # last: minutes of measurements outlive a picture that cannot be written
        plot_growth(plot, figures)


@bench.command(name="frameworks")
def bench_frameworks(
    recordings: BenchRecordings = (),
    /,
    *,
    framework: Annotated[
        tuple[str, ...],
        Parameter(
            help="Framework to compare with: keras-jax, keras-torch, keras-tensorflow, neuralforecast or "
            "gluonts; may be repeated. NAME=PYTHON runs it with another interpreter that has it (default: "
            "those of the extra `frameworks`, keras-jax, keras-torch and neuralforecast).",
            negative=(),
        ),
    ] = (),
    seconds: Annotated[float, Parameter(help="Processor time of each training in seconds.")] = 60.0,
    rounds: Annotated[int, Parameter(help="Trainings with each method, each with another seed.")] = 3,
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Measure speed and held-out likelihood of training, against Keras, NeuralForecast and GluonTS.

    All train on the same windows for the same processor time of one thread.
    """
    from pipeline.benchmarks.frameworks.comparison import bench_frameworks as run_bench
    from pipeline.benchmarks.frameworks.comparison import comparable
    from pipeline.benchmarks.frameworks.methods import OF_THE_EXTRA, chosen_methods
    from pipeline.cli.bench_text import print_frameworks_bench
    from pipeline.cli.output import emit
    from pipeline.errors import UserError, print_notice
    from pipeline.stages import prepare_stage

    if seconds <= 0 or rounds < 1:
        raise UserError("--seconds and --rounds must be above 0", 2)
    methods = chosen_methods(framework or OF_THE_EXTRA)
    chosen = comparable(config_of(config, settings, recordings or (demo_recordings(),)))
    figures = run_bench(
        chosen, prepare_stage(chosen), methods, seconds=seconds, rounds=rounds, report=print_notice
    )
    emit(figures, json, lambda: print_frameworks_bench(figures))


@bench.command(name="conceal")
def bench_conceal(
    recordings: Sounds,
    /,
    *,
    model: Model = "",
    losses: Annotated[
        tuple[float, ...], Parameter(help="Shares of lost packets, from 0 to 1; may be repeated.")
    ] = (0.1,),
    seconds: Annotated[float, Parameter(help="Seconds of each recording, from its start.")] = 6.0,
    json: Json = False,
) -> None:
    """Measure how well gaps of 10 to 80 ms are filled: the model, silence, repetition, linear prediction."""
    from pipeline.benchmarks.concealment import concealment_table
    from pipeline.cli.chosen_model import load_chosen
    from pipeline.cli.output import emit

    trained, _ = load_chosen(model, "cpu")
    rate = trained.audio.sample_rate
    sounds, rejected = _read_sounds(recordings, rate)
    table = concealment_table(trained, [x[: round(seconds * rate)] for x in sounds], losses=losses)
    emit(table, json, lambda: print(table["markdown"]))
    if rejected:
        sys.exit(1)


@bench.command(name="continuations")
def bench_continuations(
    recordings: Sounds,
    /,
    *,
    model: Model = "",
    seconds: Annotated[float, Parameter(help="Seconds at each recording's end to continue.")] = 2.0,
    takes: Annotated[int, Parameter(help="Continuations of each recording.")] = 8,
    json: Json = False,
) -> None:
    """Measure the similarity of continuations to recordings, by sampling settings and by ranking rules.

    The recordings should be ones that the model was not trained on.
    """
    from pipeline.benchmarks.continuations import continuation_table
    from pipeline.cli.output import emit
    from pipeline.registry.registry import load

    trained = load(model)
    sounds, rejected = _read_sounds(recordings, trained.audio.sample_rate)
    table = continuation_table(trained, sounds, seconds, takes=takes)
    emit(table, json, lambda: print(table["markdown"]))
    if rejected:
        sys.exit(1)


@bench.command(name="compress")
def bench_compress(
    recordings: Sounds, /, *, model: Model = "", fast: Fast = False, json: Json = False
) -> None:
    """Measure bits per sample of FLAC, the adaptive predictor, the network, and both together; restore files.

    The recordings have one channel of 16 bits at the model's rate, and should be ones that the model was not
    trained on.
    """
    from pipeline.benchmarks.code_lengths import code_length_table, require_form
    from pipeline.cli.commands.audio.compress import coding_model
    from pipeline.cli.inputs import each_sound, files_of, find_sounds
    from pipeline.cli.output import emit

    rejected: list[Place] = []
    sounds: list[Place] = sorted(files_of(find_sounds(recordings, rejected)))
    coding = None if fast else coding_model(model)
    rates = [] if coding is None else [coding.model.audio.sample_rate]

    def checked(place: "Place") -> Path:
        path = Path(str(place))
        rates.append(require_form(path, rates[0] if rates else None))
        return path

    usable = [path for _, path in each_sound(sounds, checked, rejected)]
    if not usable:
        sys.exit(1)
    table = code_length_table(coding, usable)
    emit(table, json, lambda: print(table["markdown"]))
    if rejected:
        sys.exit(1)


@bench.command(name="generate")
def bench_generate(*, model: Model = "", json: Json = False) -> None:
    """Measure the speed of generation for 1, 16 and 256 takes; without a model, of all recurrent units."""
    from pipeline.benchmarks.generation import bench_generation
    from pipeline.cli.bench_text import print_generation_bench
    from pipeline.cli.chosen_model import load_chosen

    print_generation_bench(bench_generation(load_chosen(model, "cpu")[0] if model else None), json)


def _read_sounds(named: tuple[str, ...], sample_rate: int) -> tuple[list["Samples"], list["Place"]]:
    """Return the samples of each recording that can be read, and the others, which are reported.

    Exits with code 1 where none can be read.
    """
    from pipeline.cli.inputs import each_sound, find_sounds, read_sound

    rejected: list[Place] = []
    found = find_sounds(named, rejected)
    sounds = [x for _, x in each_sound(found, lambda path: read_sound(path, sample_rate), rejected)]
    if not sounds:
        sys.exit(1)
    return sounds, rejected
