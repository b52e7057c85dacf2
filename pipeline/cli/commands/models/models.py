"""List registered models, register a run's model, or choose the champion."""

from typing import Annotated

from cyclopts import App, Parameter

from pipeline.cli.arguments import Json

EXAMPLES = ["models", "models --json", "models register wavecast-0123456789", "models promote gru"]
models = App(name="models", help=__doc__)
Name = Annotated[str, Parameter(help="Name of the registered model.")]


@models.default
def list_registered(*, json: Json = False) -> None:
    """List registered models, the newest first: version, kind, validation figure, aliases."""
    from pipeline.cli.models_text import print_models
    from pipeline.cli.output import emit
    from pipeline.registry.registration import list_models

    found = list_models()
    emit(found, json, lambda: print_models(found))


@models.command
def register(
    run: Annotated[str, Parameter(help="Trained run: its name or its folder.")],
    /,
    *,
    name: Annotated[
        str, Parameter(help="Name of the registered model (default: that of the run's configuration).")
    ] = "",
) -> None:
    """Register the model of a trained run, so that other commands find it by number and alias."""
    from pipeline.registry.references import run_folder
    from pipeline.registry.registration import register as register_run
    from pipeline.tracking.run_folder import RunFolder

    folder = RunFolder(run_folder(run))
    registered = name or folder.config().tracking.registered_model
    print(f"{folder.path.name} is {registered}/{register_run(folder, registered)}")


@models.command
def promote(
    model: Annotated[
        str,
        Parameter(help="Registered model: a version number, an alias, NAME/VERSION, or the name of its run."),
    ],
    /,
    *,
    name: Name = "wavecast",
) -> None:
    """Make a registered model the champion, which other commands use by default."""
    from pipeline.registry.references import CHAMPION
    from pipeline.registry.registration import set_alias
    from pipeline.registry.registry import version_of

    found, version = version_of(model, name)
    set_alias(found, version, CHAMPION)
    print(f"{found}/{version} is the champion")
