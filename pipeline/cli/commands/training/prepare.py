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
    "prepare recordings/ --workers dask://scheduler:8786 --shards s3://bucket/shards",
]
Workers = Annotated[
    str,
    Parameter(
        name=["--workers", "-j"],
        help="Number of worker processes, or a Dask cluster as dask://HOST:PORT (default: one for each "
        "processor). The data set is the same.",
    ),
]
Shards = Annotated[
    str,
    Parameter(
        help="Folder or address that all workers of a cluster reach, such as s3://BUCKET/PREFIX "
        "(default: a folder beside the prepared rows)."
    ),
]
Reread = Annotated[
    bool,
    Parameter(name="--reread", help="Read every file again, also those that appear unchanged.", negative=()),
]


def prepare(
    recordings: Recordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    workers: Workers = "",
    shards: Shards = "",
    reread: Reread = False,
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
    from pipeline.data.dry_run import dry_run as look
    from pipeline.features.representations import representation_of
    from pipeline.stages import prepare_stage, require_inputs

    places = {"workers": workers, "shards": shards}
    chosen = (*settings, *(f"preparation.{name}={value}" for name, value in places.items() if value))
    configured = config_of(config, chosen, recordings)
    if dry_run:
        require_inputs(configured)
        print_dry_run(look(configured), json, recordings)
        return
    of_notes = representation_of(configured.input).notes is not None
    print_dataset(prepare_stage(configured, reread), json, recordings, of_notes)
