"""`wavecast prepare`: conversion of recordings into a data set."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import Config, Recordings, Settings, config_of

EXAMPLES = [
    "prepare recordings/",
    "prepare recordings/ --dry-run",
    "prepare recordings/ --set input.sample_rate=8000 --json",
]


def prepare(
    recordings: Recordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    dry_run: Annotated[
        bool,
        Parameter(
            help="Show speakers, splits, minutes and what would be rejected. Only headers are read, and "
            "nothing is written.",
            negative=(),
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Convert recordings into a data set; those converted before are not converted again."""
    from pipeline.cli.output import print_dataset, print_dry_run
    from pipeline.stages import dry_run_stage, prepare_stage

    if dry_run:
        print_dry_run(dry_run_stage(config_of(config, settings, recordings)), json, recordings)
        return
    print_dataset(prepare_stage(config_of(config, settings, recordings)), json, recordings)
