"""`wavecast bench`: timings of this machine, each beside a plain way of doing the same."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pipeline.cli.arguments import MODELS, Json, Model, Sounds
from pipeline.cli.config_arguments import Config, Settings, config_of, demo_recordings

bench = App(name="bench", help="Time this machine, beside a plain way of doing the same.", group=MODELS)


@bench.command(name="train")
def bench_train(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """Training steps a second, beside a plain PyTorch loop. Without recordings: the demo's."""
    from pipeline.benchmarks.training import bench_train as run_bench
    from pipeline.cli.output import print_bench
    from pipeline.stages import prepare_stage

    chosen = config_of(config, settings, recordings or (demo_recordings(),))
    print_bench(run_bench(chosen, prepare_stage(chosen)), json)


@bench.command(name="prepare")
def bench_prepare(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """How much faster than real time recordings are prepared. Without recordings: the demo's."""
    from pipeline.benchmarks.training import bench_prepare as run_bench
    from pipeline.cli.output import print_bench

    print_bench(run_bench(config_of(config, settings, recordings or (demo_recordings(),))), json)


@bench.command(name="models")
def bench_models(*, json: Json = False) -> None:
    """The study's cells beside the library's kernels, and how much of an update each head takes."""
    from pipeline.benchmarks.models import bench_models as run_bench
    from pipeline.cli.output import print_bench

    print_bench(run_bench(), json)


@bench.command(name="conceal")
def bench_conceal(
    recordings: Sounds,
    /,
    *,
    model: Model = "",
    losses: Annotated[tuple[float, ...], Parameter(help="Shares of the packets that are lost.")] = (0.1,),
    seconds: Annotated[float, Parameter(help="How much of each recording, from its start.")] = 6.0,
    json: Json = False,
) -> None:
    """How well gaps of 10 to 80 ms are filled: the model beside silence, repetition, linear prediction."""
    import json as json_format

    from pipeline.audio.decode import read_mono
    from pipeline.benchmarks.concealment import concealment_table
    from pipeline.cli.inputs import find_sounds
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    trained = load_model(fetch_model(model))
    rate = trained.audio.sample_rate
    sounds = [read_mono(path, rate)[0][: round(seconds * rate)] for path in find_sounds(recordings)]
    table = concealment_table(trained, sounds, losses=losses)
    print(json_format.dumps(table, indent=2) if json else table["markdown"])


@bench.command(name="continuations")
def bench_continuations(
    recordings: Sounds,
    /,
    *,
    model: Model = "",
    seconds: Annotated[float, Parameter(help="How much of each recording's end is continued.")] = 2.0,
    takes: Annotated[int, Parameter(help="Continuations of each recording.")] = 8,
    json: Json = False,
) -> None:
    """How like their recordings continuations are, for settings of sampling and for rules that rank takes.

    The recordings should be ones that the model was not trained on.
    """
    import json as json_format

    from pipeline.audio.decode import read_mono
    from pipeline.benchmarks.continuations import continuation_table
    from pipeline.cli.inputs import find_sounds
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    trained = load_model(fetch_model(model))
    sounds = [read_mono(path, trained.audio.sample_rate)[0] for path in find_sounds(recordings)]
    table = continuation_table(trained, sounds, seconds, takes=takes)
    print(json_format.dumps(table, indent=2) if json else table["markdown"])


@bench.command(name="generate")
def bench_generate(*, model: Model = "", json: Json = False) -> None:
    """How fast sound is made, for 1, 16 and 256 takes. Without a model: the study's units at its sizes."""
    from pipeline.benchmarks.generation import bench_generation
    from pipeline.cli.output import print_generation_bench
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    print_generation_bench(bench_generation(load_model(fetch_model(model)) if model else None), json)
