"""List registered models, register a run's model, or choose the champion."""

from typing import Annotated

from cyclopts import App, Parameter

from pipeline.cli.arguments import Json

EXAMPLES = [
    "models",
    "models --json",
    "models register wavecast-0123456789",
    "models promote gru",
    "models history",
    "models rollback",
]
models = App(name="models", help=__doc__)
Name = Annotated[str, Parameter(help="Name of the registered model (default: wavecast, else the only one).")]
Pin = Annotated[
    bool,
    Parameter(help="Keep this champion whatever later runs find, until `wavecast models unpin`."),
]


@models.default
def list_registered(*, json: Json = False) -> None:
    """List registered models, the newest first: version, kind, validation figure, aliases, decision."""
    from pipeline.cli.output import emit
    from pipeline.cli.text.models import print_models
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
    registered = name or folder.config().registered_model
    print(f"{folder.path.name} is {registered}/{register_run(folder, registered)}")


@models.command
def promote(
    model: Annotated[
        str,
        Parameter(help="Registered model: a version number, an alias, NAME/VERSION, or the name of its run."),
    ],
    /,
    *,
    name: Name = "",
    pin: Pin = True,
) -> None:
    """Make a registered model the champion, which other commands use by default.

    It is compared with the champion before, as after a run; a warning states what speaks against it.
    """
    from pipeline.cli.text.promotion import print_chosen
    from pipeline.config.run import DEFAULT_NAME
    from pipeline.promotion.by_hand import promote_by_hand
    from pipeline.registry.champions import chosen_name
    from pipeline.registry.registry import version_of

    if name:
        chosen_name(name, DEFAULT_NAME)
    found, version = version_of(model, name or DEFAULT_NAME)
    print_chosen(promote_by_hand(found, version, pin))


@models.command
def rollback(*, name: Name = "", pin: Pin = True) -> None:
    """Make the previous champion the champion again; a second rollback undoes the first."""
    from pipeline.cli.text.promotion import print_chosen
    from pipeline.config.run import DEFAULT_NAME
    from pipeline.promotion.by_hand import rollback as roll_back
    from pipeline.registry.champions import chosen_name

    print_chosen(roll_back(chosen_name(name, DEFAULT_NAME), pin))


@models.command
def unpin(*, name: Name = "") -> None:
    """Lift the pin of a champion, so that the next better model replaces it."""
    from pipeline.config.run import DEFAULT_NAME
    from pipeline.promotion.by_hand import unpin as lift_pin
    from pipeline.registry.champions import chosen_name

    chosen = chosen_name(name, DEFAULT_NAME)
    pinned = lift_pin(chosen)
    print(f"{chosen}: nothing is pinned" if pinned is None else f"{chosen}/{pinned} is no longer pinned")


@models.command
def history(*, name: Name = "", json: Json = False) -> None:
    """List who or what changed or kept the champion, when and why, the newest first."""
    from pipeline.cli.output import emit
    from pipeline.cli.text.promotion import print_history
    from pipeline.config.run import DEFAULT_NAME
    from pipeline.promotion.history import History
    from pipeline.registry.champions import chosen_name

    events = History(chosen_name(name, DEFAULT_NAME)).events()[::-1]
    emit([event.__dict__ for event in events], json, lambda: print_history(events))
