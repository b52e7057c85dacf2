"""Settings and recordings as arguments of the verbs that train."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig

Recordings = Annotated[
    tuple[Path, ...], Parameter(help="Folders, sound files, CSV tables or text lists of recordings.")
]
Config = Annotated[
    Path, Parameter(name=["--config", "-c"], help="YAML file, or the name of one in configs/.")
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(name=["--set", "-s"], help="Change a setting: train.epochs=3. May be repeated.", negative=()),
]
Prefect = Annotated[bool, Parameter(help="Run as a Prefect flow, shown on the server if one is set.")]


def config_of(config: Path, settings: tuple[str, ...], recordings: tuple[Path, ...]) -> "RunConfig":
    """Settings of a file with single ones changed, on these recordings."""
    from pipeline.common.files import expanded
    from pipeline.config.loading import load_config, validated

    loaded = load_config(config, settings)
    inputs = [str(expanded(path).absolute()) for path in recordings or loaded.corpus.inputs]
    changed = loaded.model_dump(mode="json")
    changed["corpus"]["inputs"] = inputs
    return validated(changed, str(config))


def demo_recordings() -> Path:
    """The folder of spoken sentences, made when it is not there yet."""
    from pipeline.common.files import data_dir
    from pipeline.data.demo_corpus import make_demo_corpus

    return make_demo_corpus(data_dir() / "demo" / "speech")
