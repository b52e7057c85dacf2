"""`wavecast prepare`: conversion of recordings into a data set."""

from pathlib import Path

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import Config, Recordings, Settings, config_of

EXAMPLES = ["prepare recordings/", "prepare recordings/ --set input.sample_rate=8000 --json"]


def prepare(
    recordings: Recordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Convert recordings into a data set; those converted before are not converted again."""
    from pipeline.cli.output import print_dataset
    from pipeline.stages import prepare_stage

    print_dataset(prepare_stage(config_of(config, settings, recordings)), json, recordings)
