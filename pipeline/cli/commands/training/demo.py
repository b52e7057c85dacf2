"""`wavecast demo`: the pipeline on a small corpus of synthesised speech."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import Prefect, Settings, config_of, demo_recordings

EXAMPLES = ["demo", "demo --no-prefect --set train.epochs=2", "demo --corpus recordings/"]


def demo(
    *,
    corpus: Annotated[
        Path | None, Parameter(help="Folder of your own recordings (default: synthesised sentences).")
    ] = None,
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Train, evaluate and use small models on synthesised speech, in a few minutes."""
    from pipeline.cli.commands.training.run import run_and_print

    chosen = config_of(Path("demo"), settings, (corpus or demo_recordings(),))
    run_and_print(chosen, prefect, json)
