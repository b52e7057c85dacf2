"""Arguments that several verbs share, and the groups of verbs that the help shows."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

CORPORA = Group("From recordings to models", sort_key=1)
SOUNDS = Group("With a model, on sounds", sort_key=2)
MODELS = Group("Around models", sort_key=3)

Sounds = Annotated[
    tuple[str, ...],
    Parameter(help="Sound files at any rate, folders of them, or patterns like 'talks/*.flac'."),
]
Model = Annotated[
    str,
    Parameter(
        name=["--model", "-m"],
        help="Model folder, runs:/ID/model or models:/NAME@ALIAS; the registered champion when left out.",
    ),
]
Output = Annotated[
    Path, Parameter(name=["--output", "-o"], help="File to write; a folder where several sounds are named.")
]
MaybeOutput = Annotated[
    Path | None,
    Parameter(name=["--output", "-o"], help="File to write; a folder where several sounds are named."),
]
Overwrite = Annotated[bool, Parameter(help="Replace files that exist.", negative=())]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON for machines.", negative=())]
TakesWanted = Annotated[
    int,
    Parameter(name="--takes", help="How many. NAME-1 is nearest to the recording in level and spectrum."),
]
Seed = Annotated[int, Parameter(help="Another seed, another sound.")]
Temperature = Annotated[
    float, Parameter(help="Of the choice of component: 1 as the model believes, less is more decided.")
]
Spread = Annotated[
    float | None, Parameter(help="Of the noise within a component; as the temperature when left out.")
]
