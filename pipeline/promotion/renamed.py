"""Registered models that were renamed in the store: their history and champion go on under the new name."""

import sys
from pathlib import Path

from pipeline.common.files import read_json, write_json
from pipeline.promotion.history import History
from pipeline.promotion.places import folder_of
from pipeline.registry.catalogue import registered_versions
from pipeline.tracking.store import store_uri

MARK = "renamed.json"


def present_name(name: str, uri: str | None = None) -> str:
    """Return the present name of a registered model, ``name`` itself where it was not renamed.

    A renamed model is recognised by the run of its last champion. A notice is printed.

    Args:
        name: as configured.
        uri: the store as configured; None the default one.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    versions = registered_versions(store_uri(uri))
    if any(version.name == name for version in versions):
        return name
    mark = folder_of(name, uri) / MARK
    if mark.exists():
        found = {str(read_json(mark, "note of a new name")["name"])}
    else:
        last = next(reversed(History(name, uri).events()), None)
        found = {version.name for version in versions if last and last.run == version.run_name != ""}
    names = {version.name for version in versions} & found
    if len(names) != 1:
        return name
    (new,) = names
    _move(folder_of(name, uri), folder_of(new, uri), new)
    notice = f"the registered model {name} is now named {new}; set tracking.registered_model={new}"
    print(f"wavecast: {notice}", file=sys.stderr)
    return new


def _move(old: Path, new: Path, name: str) -> None:
    """Move the files of the promotion to the new name, unless it has its own, and leave a note."""
    if old.exists() and not new.exists():
        old.rename(new)
    write_json(old / MARK, {"name": name})
