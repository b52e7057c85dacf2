"""Settings and recordings as arguments of the commands that train."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.common.places import Place

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig

Recordings = Annotated[
    tuple[str, ...],
    Parameter(
        help="Folders, sound files, CSV tables with a column `path`, or text lists of paths; "
        "each may be an address such as s3://bucket/folder (default: corpus.inputs of the configuration)."
    ),
]
ConfigAndRecordings = Annotated[
    tuple[str, ...],
    Parameter(
        help="Folders, sound files, CSV tables or text lists of recordings. The first may be a "
        "configuration instead: a YAML file, or the name of one that is included."
    ),
]
Config = Annotated[
    Path,
    Parameter(
        name=["--config", "-c"], help="Configuration: a YAML file, or the name of one that is included."
    ),
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(
        name=["--set", "-s"],
        help="Setting to change, as KEY=VALUE: train.epochs=3. May be repeated; `wavecast config` lists all.",
        negative=(),
    ),
]
Prefect = Annotated[bool, Parameter(help="Run as a Prefect flow, or in this process without Prefect.")]


def config_of(config: Path, settings: tuple[str, ...], recordings: Sequence[str | Place] = ()) -> "RunConfig":
    """Return the configuration of a file with single settings changed, on these recordings.

    Raises:
        UserError: the configuration is wrong, or recordings that are named here are missing.
    """
    from pipeline.common.files import expanded
    from pipeline.common.places import exists, named_place, place_of
    from pipeline.config.loading import load_config, validated
    from pipeline.errors import UserError

    for name in recordings:
        place = place_of(name)
        if isinstance(place, Path) and not exists(expanded(place)):
            raise UserError(f"{name}: no such file or folder")
    loaded = load_config(config, settings)
    inputs = [named_place(path) for path in recordings or loaded.corpus.inputs]
    changed = loaded.model_dump(mode="json")
    changed["corpus"]["inputs"] = inputs
    return validated(changed, str(config))


def split_configuration(config: Path, named: tuple[str, ...]) -> tuple[Path, tuple[Place, ...]]:
    """Return configuration and recordings; the first name may be a configuration.

    It is one if it ends in .yaml or .yml, or if it is the name of an included configuration. If a file or
    folder has that name, too, it is a configuration only if other names follow; a notice is printed then.
    """
    from pipeline.common.places import place_of
    from pipeline.config.loading import included_configs

    paths = tuple(map(place_of, named))
    if not named or config != Path("base"):
        return config, paths
    first, rest = named[0], paths[1:]
    if first.lower().endswith((".yaml", ".yml")):
        return Path(first), rest
    if first not in included_configs():
        return config, paths
    if os.path.lexists(first):
        other = f"`./{first}` means the folder" if rest else f"`--config {first}` means the configuration"
        meaning = "a configuration" if rest else "recordings"
        print(f"wavecast: {first} is read as {meaning}; {other}", file=sys.stderr)
        return (Path(first), rest) if rest else (config, paths)
    return Path(first), rest


def demo_recordings() -> Path:
    """Return the folder of synthesised sentences; make it if it is missing."""
    from pipeline.common.files import data_dir
    from pipeline.data.demo_corpus import make_demo_corpus

    return make_demo_corpus(data_dir() / "demo" / "speech")
