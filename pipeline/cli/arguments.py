"""Arguments that several commands share, each with its help text."""

import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pipeline.errors import UserError

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
"""The beginning of an address; `Path` keeps one of its slashes."""


def shown_default(value: Any) -> Any:
    """Return a default for the help, None where there is nothing to show: off, empty, not set."""
    return None if value in ("", (), None) or value is False else value


def check_is_local(kind: Any, value: Any) -> None:
    """Raise `UserError` for an address where only a path of this machine can be used, as for all output."""
    for path in value if isinstance(value, list | tuple) else (value,):
        if isinstance(path, Path) and (found := ADDRESS.match(str(path))):
            address = f"{found[1]}://{str(path)[found.end() :]}"
            raise UserError(
                f"{address}: this must be a path of this machine; copy results to a server afterwards", 2
            )


PLACE = "Output file; a folder if there are several recordings."

Sounds = Annotated[
    tuple[str, ...],
    Parameter(help="Sound files at any rate, folders of them, or patterns such as 'talks/*.flac'."),
]
Model = Annotated[
    str,
    Parameter(
        name=["--model", "-m"],
        help="Model to use: a version number, an alias such as champion or a variant's name, the name of a "
        "run, a folder, models:/NAME@ALIAS or runs:/ID/model (default: the champion, else the newest model).",
    ),
]
Output = Annotated[Path, Parameter(name=["--output", "-o"], help=PLACE)]
MaybeOutput = Annotated[Path | None, Parameter(name=["--output", "-o"], help=PLACE)]
Overwrite = Annotated[bool, Parameter(help="Replace files that exist.", negative=())]
Json = Annotated[bool, Parameter(name="--json", help="Print the result as JSON.", negative=())]
Fast = Annotated[
    bool,
    Parameter(help="Use the adaptive predictor alone: faster, and no model is needed.", negative=()),
]
TakesWanted = Annotated[
    int,
    Parameter(name="--takes", help="Number of continuations; NAME-1 is the nearest in level and spectrum."),
]
Seed = Annotated[int, Parameter(help="Seed of the random numbers.")]
Temperature = Annotated[
    float,
    Parameter(
        help="Temperature for choosing the mixture component: 1 as predicted, 0 the most likely component."
    ),
]
NoiseScale = Annotated[
    float,
    Parameter(
        name="--noise-scale",
        help="Factor on the standard deviation within a component: less is quieter and smoother.",
    ),
]
