"""A setting that names a file or folder: a path of this machine, or an address such as `s3://bucket/folder`."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from pipeline.common.places import Place, is_remote, place_of
from pipeline.errors import UserError


def _place(value: Any) -> Place:
    if not isinstance(value, str | Path) and not hasattr(value, "storage_options"):
        raise ValueError("must be a path or an address")
    try:
        return place_of(value) if isinstance(value, str) else value
    except UserError as problem:
        raise ValueError(str(problem)) from None


def _dumped(place: Place) -> Any:
    return str(place) if is_remote(place) else place


AnyPlace = Annotated[
    Place,
    PlainValidator(_place),
    PlainSerializer(_dumped, return_type=Any),
    WithJsonSchema({"type": "string", "format": "path"}),
]
"""A path or an address; its text is the same in YAML and JSON."""
