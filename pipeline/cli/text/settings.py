"""Text output of settings, with type, bounds, default and meaning, and of configurations as YAML."""

import textwrap
from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from pipeline.config.run import RunConfig

WIDTH = 88


def configuration_yaml(config: RunConfig) -> str:
    """Return a complete configuration file."""
    settings = config.model_dump(mode="json")
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=WIDTH)


def list_settings() -> list[dict[str, Any]]:
    """Return every setting, in the order of the configuration.

    Each has `key`, `allowed` (type, choices or bounds, in words), `default`, `meaning` and `input_kind`: the
    kind of input that alone has this setting, else None.
    """
    return list(_settings(RunConfig, "", None))


def settings_text(found: list[dict[str, Any]]) -> str:
    """Return settings as text: key, default and bounds in a line, the meaning below it."""
    parts = []
    for setting in found:
        kind = f", for input.kind={setting['input_kind']}" if setting["input_kind"] else ""
        default = yaml.safe_dump(setting["default"], default_flow_style=True).removesuffix("\n...\n").strip()
        parts.append(f"{setting['key']} = {default}  ({setting['allowed']}{kind})")
        parts.append(
            textwrap.fill(setting["meaning"], WIDTH, initial_indent="    ", subsequent_indent="    ")
        )
    parts.append("\nChange one with --set KEY=VALUE, or in a YAML file (`wavecast config base` prints one).")
    return "\n".join(parts)


def _settings(model: type[BaseModel], prefix: str, kind: str | None) -> Iterator[dict[str, Any]]:
    for name, field in model.model_fields.items():
        sections = _sections(field)
        for section in sections:
            kinds: Any = section.model_fields["kind"].annotation if len(sections) > 1 else None
            yield from _settings(section, f"{prefix}{name}.", get_args(kinds)[0] if kinds else kind)
        if not sections:
            yield _setting(model, f"{prefix}{name}", name, field, kind)


def _sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the classes of a section: one, or one for each kind of input."""
    candidates = get_args(field.annotation) or (field.annotation,)
    return [part for part in candidates if isinstance(part, type) and issubclass(part, BaseModel)]


def _setting(
    model: type[BaseModel], key: str, name: str, field: FieldInfo, kind: str | None
) -> dict[str, Any]:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:  # a kind of input, which has to be named
        default = get_args(field.annotation)[0]
    default = to_jsonable_python(default)
    schema = model.model_json_schema()["properties"][name]
    return {
        "key": key,
        "allowed": _allowed(schema),
        "default": default,
        "input_kind": kind,
        "meaning": " ".join((field.description or "").split()),
    }


def _allowed(schema: dict[str, Any]) -> str:
    """Return in words what a JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(_allowed(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "value")).replace("null", "none").replace("array", "list")
    if kind == "list" and "items" in schema:
        return f"list of {_allowed(schema['items'])}"
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    words = [f"{sign} {schema[name]:g}" for name, sign in bounds.items() if name in schema]
    words += [f"like {schema['pattern']}"] if "pattern" in schema else []
    return " ".join([kind, *words])
