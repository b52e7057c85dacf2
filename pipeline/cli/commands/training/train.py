"""`wavecast train`: training of one model, and its registration."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import Config, Recordings, Settings, config_of
from pipeline.errors import UserError

EXAMPLES = [
    "train recordings/",
    "train recordings/ --config speech --set train.max_minutes=30",
    "train --resume data/runs/wavecast-0123456789",
]


def train(
    recordings: Recordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    resume: Annotated[str, Parameter(name="--resume", help="Run to resume: its folder or its name.")] = "",
    register: Annotated[
        bool, Parameter(help="Register the trained model, so that other commands find it.")
    ] = True,
    json: Json = False,
) -> None:
    """Train one model and register it; the same command resumes an interrupted training.

    Other commands use the champion by default, and without a champion the newest registered model.
    """
    from pipeline.cli.output import print_remarks, print_run
    from pipeline.data.corpora.corpus import read_corpus
    from pipeline.registry.references import run_folder
    from pipeline.stages import prepare_stage, start_stage
    from pipeline.training.tracked import train_here

    if resume:
        run = run_folder(resume)
    else:
        chosen = config_of(config, settings, recordings)
        dataset = prepare_stage(chosen)
        if not json:
            print_remarks(read_corpus(dataset)["remarks"])
        run = start_stage(chosen, dataset)
    train_here(run)
    print_run(run, register_model(run) if register else None, json)


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
