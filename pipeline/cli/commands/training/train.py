"""`wavecast train`: training of one model, and its registration."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import (
    Config,
    ConfigAndRecordings,
    Settings,
    config_of,
    split_configuration,
)
from pipeline.errors import UserError

EXAMPLES = [
    "train recordings/",
    "train speech recordings/ --set train.max_minutes=30",
    "train recordings/ --ranks 2",
    "train --resume data/runs/wavecast-0123456789",
]


def train(
    recordings: ConfigAndRecordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    resume: Annotated[str, Parameter(name="--resume", help="Run to resume: its folder or its name.")] = "",
    ranks: Annotated[
        int,
        Parameter(
            help="Processes that train the model together, each with a share of the sequences.",
            validator=validators.Number(gte=1, lte=4096),
        ),
    ] = 1,
    register: Annotated[
        bool, Parameter(help="Register the trained model, so that other commands find it.")
    ] = True,
    json: Json = False,
) -> None:
    """Train one model and register it; the same command resumes an interrupted training.

    Other commands use the champion by default, and without a champion the newest registered model.
    """
    from pipeline.cli.output import print_run

    if "TORCHELASTIC_RUN_ID" in os.environ:
        if ranks > 1:
            raise UserError("--ranks is for a call without torchrun, which states the number itself", 2)
        from pipeline.training.ranks.group import joined
        from pipeline.training.tracked import train_here

        with joined() as group:
            folder = _run_folder(config, settings, recordings, resume, json) if group.first else None
            run = Path(group.share(str(folder)))
            train_here(run, group)
            if group.first:
                print_run(run, register_model(run) if register else None, json)
        return
    run = _run_folder(config, settings, recordings, resume, json)
    if ranks > 1:
        from pipeline.tracking.run_folder import RunFolder
        from pipeline.training.processes.ranked import train_in_ranks

        train_in_ranks(run, ranks, RunFolder(run).config().run.threads)
    else:
        from pipeline.training.tracked import train_here

        train_here(run)
    print_run(run, register_model(run) if register else None, json)


def _run_folder(
    config: Path, settings: tuple[str, ...], recordings: tuple[str, ...], resume: str, quiet: bool
) -> Path:
    """Return the run that is to be trained: the named one, else that of the configuration and recordings."""
    from pipeline.cli.output import print_remarks
    from pipeline.data.corpora.corpus import read_corpus
    from pipeline.registry.references import run_folder
    from pipeline.stages import prepare_stage, start_stage

    if resume:
        return run_folder(resume)
    config, names = split_configuration(config, recordings)
    chosen = config_of(config, settings, names)
    dataset = prepare_stage(chosen)
    if not quiet:
        print_remarks(read_corpus(dataset)["remarks"])
    return start_stage(chosen, dataset)


def register_model(run: Path) -> str | None:
    """Return the name and version that the model got, None where it could not be registered now."""
    from pipeline.registry.registration import register
    from pipeline.tracking.run_folder import RunFolder

    folder = RunFolder(run)
    name = folder.config().registered_model
    try:
        return f"{name}/{register(folder, name)}"
    except UserError as problem:
        later = f"register it later: wavecast models register {run.name}"
        print(f"wavecast: the model was not registered: {problem}; {later}", file=sys.stderr)
        return None
