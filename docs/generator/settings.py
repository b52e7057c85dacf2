"""The reference of the settings, generated from the classes that validate them."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from models.head_kinds import COVARIANCES, HEADS
from models.recurrent.cells import CELLS
from pipeline.config.run import RunConfig

INTRODUCTION = """# Settings

This page is generated from the classes in `pipeline/config`, which validate every configuration. Change a
setting in a YAML file or with `--set`, as in `--set train.epochs=3`; see
[Configuration](../guides/configuration.md). A key that does not exist, a value of another type and a value
outside its bounds are rejected with one message that lists all problems.
"""
PIPE = "\\|"
"""A vertical bar inside a table."""
SIGNS = {Gt: ">", Ge: "≥", Lt: "<", Le: "≤"}
REGISTERED = {"model.cell": CELLS, "model.head": HEADS, "model.covariance": COVARIANCES}
"""Settings whose values are names in a registry."""

BOUND = {Gt: "gt", Ge: "ge", Lt: "lt", Le: "le"}


def settings_page() -> str:
    """Return the page in Markdown: a section for each part of the configuration."""
    parts = [INTRODUCTION, "## Run\n", described(RunConfig), table(RunConfig, "")]
    for name, field in RunConfig.model_fields.items():
        for section in sections_of(field.annotation):
            kind = section.model_fields.get("kind")
            heading = f"`{name}` with `kind: {get_args(kind.annotation)[0]}`" if kind else f"`{name}`"
            parts += [f"## {heading}\n", described(section), table(section, f"{name}.")]
    return "\n".join(parts)


def described(section: type[BaseModel]) -> str:
    """Return the docstring of a section."""
    return f"{(section.__doc__ or '').strip()}\n"


def table(section: type[BaseModel], prefix: str) -> str:
    """Return the settings of one section as a table, without those that are sections themselves."""
    lines = ["| setting | default | values | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        if not list(sections_of(field.annotation)):
            meaning = " ".join((field.description or "").split()).replace("|", PIPE)
            names = REGISTERED.get(f"{prefix}{name}")
            values = ", ".join(f"`{each}`" for each in names) if names else values_of(field)
            cells = (f"`{prefix}{name}`", default_of(field), values, meaning)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def default_of(field: FieldInfo) -> str:
    """Return a field's default as YAML would have it."""
    if field.is_required():
        return "required"
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    written = {None: "null", True: "true", False: "false"}
    text = written[value] if value is None or isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"


def values_of(field: FieldInfo) -> str:
    """Return what a field allows: its type, choices and bounds."""
    return "; ".join(dict.fromkeys(allowed(field.annotation, field.metadata)))


def allowed(annotation: Any, metadata: list[Any]) -> Iterator[str]:
    """Yield the type and the bounds that an annotation states, in words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *own = get_args(annotation)
        yield from allowed(inner, [*own, *metadata])
        return
    if origin is Literal:
        yield ", ".join(f"`{choice}`" for choice in get_args(annotation))
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from allowed(part, [])
    elif origin in (list, tuple):
        items = "; ".join(allowed(get_args(annotation)[0], []))
        yield f"list of {items}" if ";" not in items else f"list of ({items})"
    elif origin is dict:
        yield "mapping"
    else:
        words = {int: "integer", float: "number", bool: "true or false", str: "text", NoneType: "null"}
        yield words.get(annotation, "path" if "Path" in str(annotation) else str(annotation))
    yield from bounds(metadata)


def bounds(metadata: list[Any]) -> Iterator[str]:
    """Yield the bounds among annotations."""
    for item in flat(metadata):
        for kind, sign in SIGNS.items():
            if isinstance(item, kind):
                yield f"{sign} {getattr(item, BOUND[kind])}"
        if isinstance(item, MinLen | MaxLen):
            length = item.min_length if isinstance(item, MinLen) else item.max_length
            yield f"{'at least' if isinstance(item, MinLen) else 'at most'} {length} items"
        pattern = getattr(item, "pattern", None)
        if pattern:
            yield f"matches `{str(pattern).replace('|', PIPE)}`"


def flat(metadata: list[Any]) -> Iterator[Any]:
    """Yield annotations, and those inside a `Field`."""
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def sections_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections that a field holds: none, one, or one for each kind of input."""
    for part in get_args(annotation) or (annotation,):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
