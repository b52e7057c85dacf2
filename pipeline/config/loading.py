"""Reading configurations: YAML files that extend one another, plus `key=value` from the command line."""

import difflib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.common.files import read_regular
from pipeline.config.inputs import KINDS, READ_LATER, row_settings
from pipeline.config.renamed import present_names
from pipeline.config.run import RunConfig
from pipeline.config.tuning import DISTRIBUTIONS
from pipeline.config.types import Scalar
from pipeline.config.yaml_text import MOST_BYTES, MOST_DEPTH, parse_yaml
from pipeline.errors import UserError, one_line

SHARED = ("name", "corpus", "preparation", "run", "evaluate", "tracking", "promotion", "tuning", "variants")
"""Sections of which a run has one for all its variants."""

OTHER_LOSS = ("model.architecture", "model.convolutions", "model.decode_steps", "train.loss")
"""Settings of `model` and `train` with which the validation loss measures something else."""
WHOLE = ("variants", "space")
"""Keys whose content a file replaces as a whole."""

UNION_TAGS = frozenset((*KINDS, *DISTRIBUTIONS))
"""What pydantic puts between keys where it reports a problem of one kind among several."""

MOST_PROBLEMS = 20
"""Problems of one file that are listed."""

_IN_A_WHEEL = Path(__file__).resolve().parent / "files"
CONFIGS = _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else Path(__file__).resolve().parents[2] / "configs"
"""The configurations of the project: `configs/` of a checkout, inside this package once it is installed."""


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a YAML file with overrides, validated.

    Args:
        path: the file, or a bare name such as ``demo`` for ``configs/demo.yaml`` of the project. None is
            ``configs/base.yaml``.
        overrides: texts `dotted.key=value`.

    Raises:
        UserError: a setting is wrong (exit code 2). The text lists every problem with its key, its value and
            what is allowed.
    """
    found = find_config(path or Path("base"))
    settings = _read_extended(found, ())
    changes: dict[str, Any] = {}  # all at once, so that `input.kind` may come before or after its fields
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise UserError(f"--set {override}: write it as key=value, such as train.epochs=3", exit_code=2)
        if key.count(".") > MOST_DEPTH:
            raise UserError(f"--set {_cut(override)}: a key of too many parts", exit_code=2)
        change = nested({key.strip(): _parse(value, f"--set {_cut(override)}")})
        changes = merge(changes, _present(change), whole=())
    if not overrides:
        return validated(settings, str(found))
    try:
        return validated(merge(settings, changes), "--set")
    except UserError:
        validated(settings, str(found))  # the mistake may be in the file
        raise


def validated(settings: Mapping[str, Any], where: str) -> RunConfig:
    """Return a `RunConfig` of nested settings.

    Args:
        settings: sections with their keys.
        where: the file that they come from, or `--set`, for the message.

    Raises:
        UserError: a setting is wrong; its one line has all problems.
    """
    try:
        config = RunConfig.model_validate(settings)
    except ValidationError as error:
        raise UserError(_problems(error, where), exit_code=2) from None
    problems = []
    for name in config.variants:
        try:
            variant_config(config, name)
        except UserError as problem:
            problems.append(str(problem))
    problems += _problems_of_space(config)
    if problems:
        raise UserError("; ".join(problems), exit_code=2)
    return config


def variant_config(config: RunConfig, variant: str) -> RunConfig:
    """Return the configuration of one of the run's variants: the run's own with the variant's changes.

    Args:
        config: the run's configuration.
        variant: a name in ``config.variants``.

    Raises:
        UserError: the changes are not valid, or would give the variant other data or other figures than its
            neighbours. Variants are compared with each other.
    """
    settings = config.model_dump(mode="json")
    changes = settings.pop("variants")[variant]
    shared = [key for key in changes if key.partition(".")[0] in SHARED]
    if shared:
        raise _not_shared(variant, shared)
    changed = validated(merge(settings, nested(changes)), f"variant {variant}")
    rows, own = row_settings(config.input), row_settings(changed.input)
    shared = [f"input.{key}" for key in {**rows, **own} if rows.get(key) != own.get(key)]
    if shared:
        raise _not_shared(variant, shared)
    return changed


def trial_config(config: RunConfig, changes: Mapping[str, Scalar]) -> RunConfig:
    """Return the configuration of one trial of a search, without variants and without a search.

    Args:
        config: the configuration that is searched.
        changes: values of the searched settings by dotted key.

    Raises:
        UserError: they do not fit the configuration.
    """
    settings = {**config.model_dump(mode="json"), "variants": {}, "tuning": {"space": {}}}
    return validated(merge(settings, nested(changes)), "tuning.space")


def _problems_of_space(config: RunConfig) -> list[str]:
    """Return what is wrong with the space of a search: unknown settings, and values that do not fit."""
    problems = []
    for key, distribution in config.tuning.space.items():
        section = key.partition(".")[0]
        if section in SHARED or (section == "input" and key != "input.window") or key in OTHER_LOSS:
            problems.append(
                f"tuning.space: {key}: trials are compared by their validation loss, which needs the same "
                f"data, steps and loss; search input.window, train.* or model.*, but not "
                f"{', '.join(OTHER_LOSS)}"
            )
            continue
        for value in distribution.examples():
            try:
                trial_config(config, {key: value})
            except UserError as problem:
                problems.append(str(problem))
    return list(dict.fromkeys(problems))[:MOST_PROBLEMS]


def _not_shared(variant: str, keys: Sequence[str]) -> UserError:
    later = " or ".join(f"input.{name}" for name in sorted(READ_LATER))
    return UserError(
        f"variant {variant}: {', '.join(keys)}: variants share their prepared data and are compared with "
        f"each other; change model.*, train.*, samples.*, {later}",
        exit_code=2,
    )


def _present(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under their present names, so that no earlier name stands beside one in a merge."""
    return {section: present_names(section, values) for section, values in settings.items()}


def find_config(path: Path) -> Path:
    """Return the file that ``path`` means: itself, or the project's configuration of that name."""
    for candidate in (path, CONFIGS / path, CONFIGS / f"{path}.yaml"):
        if _is_file(candidate):
            return candidate
    known, name = ", ".join(included_configs()), _cut(one_line(str(path)), 400)
    raise UserError(f"{name}: no such configuration; give a YAML file or one of: {known}", exit_code=2)


def _is_file(path: Path) -> bool:
    """Return whether there is such a file; `Path.is_file` raises for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113


def included_configs() -> list[str]:
    """Return the names of the configurations that come with the project."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def merge(
    base: Mapping[str, Any], changes: Mapping[str, Any], whole: Collection[str] = WHOLE
) -> dict[str, Any]:
    """Return settings with changes, merged section by section.

    Args:
        base: sections with their keys.
        changes: sections with their keys. A section with another `kind` replaces the one in ``base``.
        whole: keys whose content is replaced, not merged.

    Example:
        >>> merge({"model": {"cell": "gru", "window": 20}}, {"model": {"cell": "lstm"}})
        {'model': {'cell': 'lstm', 'window': 20}}
        >>> merge({"input": {"kind": "waveform", "hop": 10}}, {"input": {"kind": "notes"}})
        {'input': {'kind': 'notes'}}
    """
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        same_kind = isinstance(old, Mapping) and isinstance(value, Mapping)
        if same_kind and "kind" in old:  # type: ignore[operator]
            same_kind = value.get("kind", old["kind"]) == old["kind"]  # type: ignore[index]
        merged[key] = merge(old, value, whole) if same_kind and key not in whole else value  # type: ignore[arg-type]
    return merged


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`."""
    tree: dict[str, Any] = {}
    for key, value in dotted.items():
        for part in reversed(key.split(".")):
            value = {part: value}
        tree = merge(tree, value, whole=())
    return tree


def _read_extended(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        chain = " -> ".join(p.name for p in (*seen, path))
        raise UserError(f"{path}: extends itself ({chain})", exit_code=2)
    try:
        text = read_regular(path, "file of settings", MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"{path}: cannot be read ({problem})", exit_code=2) from None
    except UserError as problem:
        raise UserError(str(problem), exit_code=2) from None
    settings = _parse(text, str(path)) or {}
    if not isinstance(settings, dict):
        raise UserError(f"{path}: must hold keys and values", exit_code=2)
    parent = settings.pop("extends", None)
    settings = _present(settings)
    if parent is None:
        return settings
    beside = path.parent / str(parent)
    found = beside if _is_file(beside) else find_config(Path(str(parent)))
    return merge(_read_extended(found, (*seen, path.resolve())), settings)


def _parse(text: str, where: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as problem:
        raise UserError(f"{where}: not YAML ({problem})", exit_code=2) from None


def _problems(error: ValidationError, where: str) -> str:
    """Return all problems in one line: `FILE: KEY: PROBLEM; KEY: PROBLEM`."""
    found = []
    problems = error.errors(include_url=False)
    for problem in problems[:MOST_PROBLEMS]:
        key = _cut(".".join(str(part) for part in problem["loc"] if part not in UNION_TAGS))
        if problem["type"] == "extra_forbidden":
            found.append(f"{key}: unknown key{_suggestion(problem['loc'])}")
        elif problem["type"] == "value_error":
            found.append(": ".join(filter(None, (key, _cut(str(problem["ctx"]["error"]), 400)))))
        else:
            found.append(
                f"{key or 'configuration'} = {_short(problem['input'])}: {_cut(problem['msg'], 400)}"
            )
    if len(problems) > MOST_PROBLEMS:
        found.append(f"and {len(problems) - MOST_PROBLEMS} more")
    return f"{where}{' ' if where == '--set' else ': '}{'; '.join(found)}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    """Return a suggestion for a misspelt key: one of the same section, else one of another."""
    *section, name = (str(part) for part in location if part not in UNION_TAGS)
    keys = list(_keys(RunConfig))
    for known in ([key for key in keys if key[:-1] == section], keys):
        close = difflib.get_close_matches(name, [key[-1] for key in known], n=1)
        for key in known:
            if key == [*section, name]:
                return f"; {name} is for another {section[0]}.kind"
            if key[-1] in close:
                return f"; did you mean {'.'.join(key)}?"
    return ""


def _keys(model: type[BaseModel], section: Sequence[str] = ()) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        yield [*section, name]
        for part in getattr(field.annotation, "__args__", (field.annotation,)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _keys(part, [*section, name])


def _short(value: object) -> str:
    return _cut(repr(value))


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
