"""Resolution of a user's reference to a model: path, run, variant, alias, version or MLflow address."""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.common.files import data_dir, expanded
from pipeline.common.places import is_address
from pipeline.errors import UserError
from pipeline.registry.catalogue import RegisteredVersion, trained_runs, variant_of
from pipeline.registry.remote_model import fetched_model
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import ModelReference

CHAMPION = "champion"
NOTHING_TRAINED = "no model has been trained yet: run `make demo`, or `wavecast train FOLDER`"
MOST_NAMES = 8


def nothing_trained() -> str:
    """Return in words that there is no model, and what to do: finish a training, or begin one."""
    begun = sorted((data_dir() / "runs").glob("*/best.pt"), key=lambda path: path.stat().st_mtime_ns)
    if not begun:
        return NOTHING_TRAINED
    run = begun[-1].parent.name
    return (
        f"no training is finished yet: `wavecast train --resume {run}` finishes the newest one, and "
        f"evaluate, score, predict and generate take its best weights so far with `--model {run}`"
    )


def run_folder(reference: str) -> Path:
    """Return the folder of a run that is named by its folder, its name or its variant.

    Raises:
        UserError: there is no such run.
    """
    for folder in (expanded(reference), data_dir() / "runs" / reference):
        if reference and (folder / "run.json").is_file():
            return folder
    for run in trained_runs():
        if variant_of(run) == reference:
            return run.path
    names = [path.parent.name for path in (data_dir() / "runs").glob("*/run.json")]
    raise UserError(f"{reference}: no such run{_suggestion(reference, names)}")


def default_version(versions: Sequence[RegisteredVersion], name: str) -> RegisteredVersion | None:
    """Return the version that is used when no model is named: the champion, else the newest.

    The champion of ``name`` comes first, then the newest champion of another registered model, then the
    newest version of ``name``, then the newest of all. ``versions`` have the newest first.
    """
    own = [version for version in versions if version.name == name]
    champions = [version for version in versions if CHAMPION in version.aliases]
    chosen = [version for version in own if version in champions]
    return next(iter([*chosen, *champions, *own, *versions]), None)


def other_champions(versions: Sequence[RegisteredVersion], chosen: RegisteredVersion) -> tuple[str, ...]:
    """Return the champions of other registered models than that of ``chosen``, as NAME@champion."""
    champions = {version.name for version in versions if CHAMPION in version.aliases}
    return tuple(f"{name}@{CHAMPION}" for name in sorted(champions - {chosen.name}))


def find_version(
    versions: Sequence[RegisteredVersion], reference: str, name: str
) -> RegisteredVersion | None:
    """Return the registered version that ``reference`` means, None where it means none.

    It is a number (`3` or `v3`), an alias, NAME/NUMBER, NAME@ALIAS, a run's name or id, or NAME alone, which
    is its champion or newest version. Numbers and aliases are those of ``name``, or of the only registered
    model if ``name`` has no versions; aliases of other registered models are tried after them.
    """
    text = reference.removeprefix("models:/")
    own = [version for version in versions if version.name == name]
    if not own and len({version.name for version in versions}) == 1:
        own = list(versions)
    if number := re.fullmatch(r"v?(\d+)", text):
        return next((v for v in own if v.version == int(number[1])), None)
    for version in (*own, *versions):
        named = (f"{version.name}/{version.version}", version.run_name, version.run_id)
        addressed = [f"{version.name}@{alias}" for alias in version.aliases]
        if text in (*version.aliases, *addressed) or text in filter(None, named):
            return version
    return default_version([v for v in versions if v.name == text], text)


def local_model(reference: str) -> Path | None:
    """Return the model folder of a path or address, or of a run on this machine; None where neither is meant.

    Raises:
        UserError: a run is meant that has no model yet.
    """
    if is_address(reference):
        return fetched_model(reference)
    for folder in (expanded(reference), data_dir() / "runs" / reference):
        if (folder / "run.json").is_file():
            if (folder / "model" / "config.json").is_file():
                return folder / "model"
            raise UserError(
                f"{reference}: this run has no model yet; finish it: wavecast train --resume {folder}"
            )
        # A bare name may be that of a registered model, whatever else has it in the working directory.
        is_path = (folder / "config.json").is_file() or len(Path(reference).parts) > 1
        if folder == expanded(reference) and folder.is_dir() and is_path:
            return folder
    return None


def run_of_variant(reference: str) -> RunFolder | None:
    """Return the newest trained run of this variant on this machine."""
    return next((run for run in trained_runs() if variant_of(run) == reference), None)


def no_such_model(reference: str, name: str, versions: Sequence[RegisteredVersion]) -> UserError:
    """Return the `UserError` for a model that does not exist, with the names that are similar.

    Args:
        reference: what the user wrote.
        name: the registered model whose version numbers are listed.
        versions: all registered versions.
    """
    runs = trained_runs()
    if not versions and not runs:
        return UserError(f"{reference}: no such model; {nothing_trained()}")
    if re.fullmatch(r"v?\d+", reference):
        return UserError(f"{reference}: no such model; {versions_text(versions, name)}")
    known = {
        name: None for version in versions for name in (*version.aliases, version.name, version.run_name)
    }
    known |= dict.fromkeys(run.path.name for run in runs) | dict.fromkeys(map(variant_of, runs))
    return UserError(f"{reference}: no such model{_suggestion(reference, filter(None, known))}")


def no_such_name(name: str, names: Sequence[str]) -> UserError:
    """Return the `UserError` for a registered model that is not there, with the names that are near it."""
    if not names:
        return UserError(f"{name}: no model is registered yet: `wavecast train FOLDER` registers one")
    return UserError(f"{name}: no registered model has this name{_suggestion(name, names)}")


def not_registered(wanted: ModelReference, versions: Sequence[RegisteredVersion]) -> UserError:
    """Return the `UserError` for an address that the store does not have, which names the wrong part.

    Args:
        wanted: the address, such as `models:/NAME/3`.
        versions: all registered versions.
    """
    where = f"{wanted.text}: no such model"
    if wanted.run_id:
        return UserError(f"{where}; the store has no such run, or the run no such folder")
    names = dict.fromkeys(version.name for version in versions)
    own = [version for version in versions if version.name == wanted.name]
    aliases = [alias for version in own for alias in version.aliases]
    if not names:
        return UserError(f"{where}; none is registered yet: `wavecast train FOLDER` registers one")
    if not own:
        return UserError(f"{where}; no model is named {wanted.name!r}{_suggestion(wanted.name, names)}")
    if wanted.version and int(wanted.version) not in [version.version for version in own]:
        return UserError(f"{where}; {versions_text(versions, wanted.name)}")
    if wanted.alias and wanted.alias not in aliases:
        near = _suggestion(wanted.alias, aliases)
        return UserError(f"{where}; {wanted.name} has no alias {wanted.alias!r}{near}")
    return UserError(f"{where}; it is registered, but its files are gone from the store")


def versions_text(versions: Sequence[RegisteredVersion], name: str) -> str:
    """Return in words which versions a registered model has, or the only one if it is not of that name."""
    names = list(dict.fromkeys(version.name for version in versions))
    name = names[0] if len(names) == 1 else name
    numbers = sorted(version.version for version in versions if version.name == name)
    if not numbers:
        others = f"; there are: {', '.join(names)}" if names else " yet"
        return f"no version of {name} is registered{others}"
    return f"{name} has version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Return the near names, or all if they are few, as the end of a sentence."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"; there are: {', '.join(names[:MOST_NAMES])}{more}"
