"""`wavecast config`: every setting with its meaning, or a merged configuration as YAML."""

from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import Settings

EXAMPLES = ["config", "config speech", "config base --set train.epochs=3 > mine.yaml"]


def config(
    name: Annotated[
        str,
        Parameter(
            name="NAME|FILE",
            help="Configuration to print in full: the name of an included one, or a YAML file "
            "(default: list all settings).",
        ),
    ] = "",
    /,
    *,
    settings: Settings = (),
    json: Json = False,
) -> None:
    """List every setting with its meaning, default and bounds, or print a configuration as YAML.

    A configuration is printed with everything that it extends and with all defaults, so that the output is
    a complete configuration file.
    """
    from pathlib import Path

    from pipeline.cli.output import emit
    from pipeline.cli.text.settings import configuration_yaml, list_settings, settings_text
    from pipeline.config.loading import load_config

    if name or settings:
        loaded = load_config(Path(name or "base"), settings)
        emit(loaded.model_dump(mode="json"), json, lambda: print(configuration_yaml(loaded), end=""))
        return
    found = list_settings()
    emit(found, json, lambda: print(settings_text(found)))
