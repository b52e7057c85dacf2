"""The command line `wavecast`: each verb parses, calls one function of `pipeline`, and prints its result.

Nothing heavy is imported before a verb needs it.
"""

import errno
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.config import RunConfig

LONGEST_MESSAGE = 400

app = App(
    name="wavecast",
    help="Forecast audio: train recurrent predictors on recordings, measure them in honest bits per sample, "
    "continue sounds.",
    help_epilogue="Begin with `wavecast demo`, or `wavecast run base FOLDER` on your own recordings.",
    version_flags=["--version"],
)

Recordings = Annotated[
    tuple[Path, ...], Parameter(help="Folders, sound files, CSV tables or text lists of recordings.")
]
Config = Annotated[
    Path, Parameter(name=["--config", "-c"], help="YAML file, or the name of one in configs/.")
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(name=["--set", "-s"], help="Change a setting: train.epochs=3. May be repeated.", negative=()),
]
Prefect = Annotated[bool, Parameter(help="Run as a Prefect flow, shown on the server if one is set.")]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON for machines.", negative=())]
Model = Annotated[
    str,
    Parameter(
        name=["--model", "-m"],
        help="Model folder, runs:/ID/model or models:/NAME@ALIAS; the registered champion when left out.",
    ),
]
Overwrite = Annotated[bool, Parameter(help="Replace files that exist.", negative=())]


def _config(config: Path, settings: tuple[str, ...], recordings: tuple[Path, ...]) -> "RunConfig":
    from pipeline.config_files import load_config, validated

    loaded = load_config(config, settings)
    inputs = [str(path.expanduser().absolute()) for path in recordings or loaded.corpus.inputs]
    changed = loaded.model_dump(mode="json")
    changed["corpus"]["inputs"] = inputs
    return validated(changed, str(config))


@app.command(sort_key=1)
def demo(
    *,
    corpus: Annotated[Path | None, Parameter(help="Your own recordings instead of spoken ones.")] = None,
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Show everything in a few minutes: prepare, train three models, evaluate, continue a recording."""
    from pipeline.cli_output import print_summary

    chosen = _config(Path("demo"), settings, (corpus or _demo_recordings(),))
    print_summary(_run(chosen, prefect), json)


@app.command(sort_key=2)
def prepare(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """Decode recordings into a data set; what was converted before is not converted again."""
    from pipeline.cli_output import print_dataset
    from pipeline.stages import prepare_stage

    print_dataset(prepare_stage(_config(config, settings, recordings)), json)


@app.command(sort_key=3)
def train(
    *recordings: Path,
    config: Config = Path("base"),
    settings: Settings = (),
    run: Annotated[Path | None, Parameter(help="Go on with the run in this folder.")] = None,
    json: Json = False,
) -> None:
    """Train one model. Stopped at any moment and called again, it goes on where it was."""
    from pipeline.cli_output import print_run
    from pipeline.stages import prepare_stage, start_stage, stop_with_parent, train_here

    stop_with_parent()
    if run is None:
        chosen = _config(config, settings, recordings)
        run = start_stage(chosen, prepare_stage(chosen))
    train_here(run)
    print_run(run, json)


@app.command(sort_key=4)
def evaluate(
    *recordings: Path,
    model: Model = "",
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Score a model on held-out recordings, beside FLAC, a linear predictor and other baselines."""
    from pipeline.artifacts import load_model
    from pipeline.cli_output import print_evaluation
    from pipeline.evaluation import evaluate as evaluate_model
    from pipeline.registry import fetch_model
    from pipeline.stages import prepare_stage

    chosen = _config(config, settings, recordings)
    folder = fetch_model(model, chosen.tracking.registered_model, chosen.tracking.uri)
    as_trained = chosen.model_copy(update={"input": load_model(folder).input})
    dataset = prepare_stage(as_trained)
    print_evaluation(evaluate_model(folder, dataset, chosen.evaluate, chosen.train.device), json)


app.command("pipeline.verbs.predict:predict", sort_key=5)
app.command("pipeline.verbs.generate:generate", sort_key=5)
app.command("pipeline.verbs.score:score", sort_key=5)
app.command("pipeline.verbs.spectrogram:spectrogram", sort_key=5)
app.command("pipeline.verbs.compress:compress", sort_key=6)
app.command("pipeline.verbs.compress:decompress", sort_key=6)
app.command("pipeline.verbs.export:export", sort_key=8)
app.command("pipeline.verbs.report:report", sort_key=8)
app.command("pipeline.verbs.doctor:doctor", sort_key=8)


@app.command(sort_key=6)
def run(
    config: Annotated[Path, Parameter(help="YAML file, or the name of one in configs/.")],
    /,
    *recordings: Path,
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Run the whole pipeline: prepare, train each variant, evaluate, promote the best, make sounds."""
    from pipeline.cli_output import print_summary

    print_summary(_run(_config(config, settings, recordings), prefect), json)


def _run(config: "RunConfig", prefect: bool) -> Path:
    if not prefect:
        from pipeline.stages import run_stages

        return run_stages(config)
    from flows.whole import run_as_flow

    return run_as_flow(config)


models_app = App(name="models", help="List registered models, or choose the champion by hand.", sort_key=7)
app.command(models_app)


@models_app.default
def models(*, json: Json = False) -> None:
    """List registered models: versions, aliases, figures."""
    from pipeline.cli_output import print_models
    from pipeline.registry import list_models

    print_models(list_models(), json)


@models_app.command
def promote(
    version: Annotated[int, Parameter(help="Version number, as `wavecast models` lists it.")],
    /,
    *,
    name: Annotated[str, Parameter(help="Name of the registered model.")] = "wavecast",
) -> None:
    """Make a version the champion: the model that other verbs use by default."""
    from pipeline.promotion import CHAMPION
    from pipeline.registry import set_alias

    set_alias(name, version, CHAMPION)
    print(f"{name}/{version} is the champion")


bench_app = App(name="bench", help="Time this machine, beside a plain way of doing the same.", sort_key=8)
app.command(bench_app)


@bench_app.command(name="train")
def bench_train(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """Training steps a second, beside a plain PyTorch loop. Without recordings: the demo's."""
    from pipeline.bench import bench_train as run_bench
    from pipeline.cli_output import print_bench
    from pipeline.stages import prepare_stage

    chosen = _config(config, settings, recordings or (_demo_recordings(),))
    print_bench(run_bench(chosen, prepare_stage(chosen)), json)


@bench_app.command(name="prepare")
def bench_prepare(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """How much faster than real time recordings are prepared. Without recordings: the demo's."""
    from pipeline.bench import bench_prepare as run_bench
    from pipeline.cli_output import print_bench

    print_bench(run_bench(_config(config, settings, recordings or (_demo_recordings(),))), json)


@bench_app.command(name="models")
def bench_models(*, json: Json = False) -> None:
    """The study's cells beside the library's kernels, and how much of an update each head takes."""
    from pipeline.bench_models import bench_models as run_bench
    from pipeline.cli_output import print_bench

    print_bench(run_bench(), json)


@bench_app.command(name="generate")
def bench_generate(*, model: Model = "", json: Json = False) -> None:
    """How fast sound is made, for 1, 16 and 256 takes. Without a model: the study's units at its sizes."""
    from pipeline.artifacts import load_model
    from pipeline.bench_generation import bench_generation
    from pipeline.cli_output import print_rows
    from pipeline.registry import fetch_model

    print_rows(bench_generation(load_model(fetch_model(model)) if model else None), json)


@app.command(sort_key=10)
def study(
    speech: Annotated[Path, Parameter(help="Folder of recordings, one subfolder a speaker.")],
    /,
    *,
    music: Annotated[Path | None, Parameter(help="Folder of sets of music, .mat or .npz.")] = None,
    settings: Settings = (),
) -> None:
    """Run every comparison of the README again, and print its tables. Takes hours on a CPU."""
    from pipeline.study import study as run_study

    print(run_study(speech, music, settings).read_text(), end="")


def _demo_recordings() -> Path:
    from pipeline.demo_corpus import make_demo_corpus
    from pipeline.files import data_dir

    return make_demo_corpus(data_dir() / "demo" / "speech")


@app.command(sort_key=9)
def ui(*, port: Annotated[int, Parameter(help="Port on the loopback address.")] = 5000) -> None:
    """Open the MLflow experiment pages on this machine."""
    from pipeline.files import data_dir
    from pipeline.tracking import sync_pending
    from pipeline.tracking_store import serve_ui

    sync_pending(data_dir() / "runs")
    serve_ui(port=port)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error, never a traceback."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as problem:
        told = textwrap.shorten(str(problem), LONGEST_MESSAGE, placeholder=" ...")  # it may list many files
        _fail(f"{told} (see `wavecast --help`)", 2)
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; the same command goes on where it was", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{problem.filename or 'writing a file'}: {problem.strerror}", 1)


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
