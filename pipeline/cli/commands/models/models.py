"""The verbs around models: models, ui, study."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pipeline.cli.arguments import MODELS, Json
from pipeline.cli.config_arguments import Settings

models = App(name="models", help="List registered models, or choose the champion by hand.", group=MODELS)


@models.default
def list_registered(*, json: Json = False) -> None:
    """List registered models: versions, aliases, figures."""
    from pipeline.cli.output import print_models
    from pipeline.registry.registry import list_models

    print_models(list_models(), json)


@models.command
def promote(
    version: Annotated[int, Parameter(help="Version number, as `wavecast models` lists it.")],
    /,
    *,
    name: Annotated[str, Parameter(help="Name of the registered model.")] = "wavecast",
) -> None:
    """Make a version the champion: the model that other verbs use by default."""
    from pipeline.registry.promotion import CHAMPION
    from pipeline.registry.registry import set_alias

    set_alias(name, version, CHAMPION)
    print(f"{name}/{version} is the champion")


def study(
    speech: Annotated[Path, Parameter(help="Folder of recordings, one subfolder a speaker.")],
    /,
    *,
    music: Annotated[Path | None, Parameter(help="Folder of sets of music, .mat or .npz.")] = None,
    settings: Settings = (),
) -> None:
    """Run every comparison of the README again, and print its tables. Takes hours on a CPU."""
    from pipeline.benchmarks.reproduce import study as run_study

    print(run_study(speech, music, settings).read_text(), end="")


def ui(*, port: Annotated[int, Parameter(help="Port on the loopback address.")] = 5000) -> None:
    """Open the MLflow experiment pages on this machine."""
    from pipeline.common.files import data_dir
    from pipeline.tracking.store import serve_ui
    from pipeline.tracking.sync import sync_pending

    sync_pending(data_dir() / "runs")
    serve_ui(port=port)
