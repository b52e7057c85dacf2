"""Compare the locked packages with a list of known vulnerabilities, without a network.

`python .github/audit/audit.py` prints one line for each locked version that an advisory affects, and exits
with 1 if there is any. An old list is a warning.

`python .github/audit/audit.py --refresh FOLDER` replaces the list by the advisories on locked packages
below a folder: a clone of https://github.com/pypa/advisory-database, or the unpacked
https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip. Both hold files in the OSV format
(https://ossf.github.io/osv-schema).
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

HERE = Path(__file__).resolve().parent
LIST = HERE / "advisories.json"
LOCK = HERE.parents[1] / "requirements.lock"
OLD_DAYS = 90
"""Age of the list from which a warning is printed: advisories of that time may be missing."""


def locked(lock: Path) -> dict[str, set[str]]:
    """Return the locked versions of each package; markers may select one of several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock.read_text(), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def is_affected(affected: dict[str, Any], version: str) -> bool:
    """Return whether an entry `affected` of the OSV format includes a version.

    The versions may be listed one by one, or as ranges of events. A range is a union of stretches: each
    begins with `introduced` and ends before `fixed` or `limit`, or with `last_affected`.
    """
    if version in affected.get("versions", ()):
        return True
    found = Version(version)
    for stretch in affected.get("ranges", ()):
        if stretch["type"] == "GIT":
            continue
        inside = False
        for kind, place in sorted(_events(stretch), key=lambda event: (event[1], event[0] != "introduced")):
            if kind == "introduced":
                inside = inside or place <= found
            elif kind in ("fixed", "limit"):
                inside = inside and found < place
            elif kind == "last_affected":
                inside = inside and found <= place
        if inside:
            return True
    return False


def _events(stretch: dict[str, Any]) -> Iterator[tuple[str, Version]]:
    for event in stretch["events"]:
        for kind, place in event.items():
            if place == "*":  # no limit
                continue
            yield kind, Version("0.dev0" if place == "0" else place)


def findings(advisories: list[dict[str, Any]], packages: dict[str, set[str]]) -> list[str]:
    """Return a line for each locked version that an advisory affects."""
    lines = []
    for advisory in advisories:
        if "withdrawn" in advisory:
            continue
        for affected in advisory["affected"]:
            name = canonicalize_name(affected["package"]["name"])
            for version in sorted(packages.get(name, ())):
                if is_affected(affected, version):
                    ids = ", ".join([advisory["id"], *advisory.get("aliases", ())])
                    lines.append(f"{name} {version}: {ids}{_advice(affected, version)}")
    return sorted(set(lines))


def _advice(affected: dict[str, Any], version: str) -> str:
    fixes = {
        place
        for stretch in affected.get("ranges", ())
        if stretch["type"] != "GIT"
        for kind, place in _events(stretch)
        if kind == "fixed" and place > Version(version)
    }
    return f"; fixed in {min(fixes)}" if fixes else "; no fixed version is listed"


def read_advisories(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the advisories in the JSON and YAML files below a folder."""
    import yaml

    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            yield json.loads(path.read_text())
        elif path.suffix in (".yaml", ".yml") and ".github" not in path.relative_to(folder).parts:
            # Dates stay texts, as in JSON.
            yield yaml.load(path.read_text(), yaml.BaseLoader)


def reduced(advisory: dict[str, Any], packages: dict[str, set[str]]) -> dict[str, Any] | None:
    """Return what the comparison needs of an advisory on locked packages; None where it is on others.

    Of versions that are listed one by one, only those outside of the ranges are kept.
    """
    if "id" not in advisory or advisory.get("withdrawn"):
        return None
    kept = []
    for affected in advisory.get("affected", ()):
        package = affected.get("package", {})
        name = canonicalize_name(package.get("name", ""))
        if package.get("ecosystem") != "PyPI" or name not in packages:
            continue
        ranges = [
            {"type": stretch["type"], "events": stretch["events"]}
            for stretch in affected.get("ranges", ())
            if stretch["type"] != "GIT"
        ]
        entry: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": name}}
        if ranges:
            entry["ranges"] = ranges
        if extra := [v for v in affected.get("versions", ()) if _is_version(v) and not is_affected(entry, v)]:
            entry["versions"] = extra
        if ranges or extra:
            kept.append(entry)
    if not kept:
        return None
    facts = {key: advisory[key] for key in ("id", "modified", "published") if key in advisory}
    return {**facts, "aliases": advisory.get("aliases", []), "affected": kept}


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def refresh(folder: Path, packages: dict[str, set[str]]) -> None:
    """Replace the list by the advisories on locked packages below a folder."""
    found = [entry for advisory in read_advisories(folder) if (entry := reduced(advisory, packages))]
    if not found:
        sys.exit(f"{folder}: holds no advisory on a locked package; name a folder of OSV files")
    newest = max(entry["modified"] for entry in found)
    entries = ",\n".join(json.dumps(entry) for entry in sorted(found, key=lambda entry: entry["id"]))
    dates = f'"refreshed": "{date.today()}", "newest": {json.dumps(newest)}'
    LIST.write_text(f'{{{dates}, "advisories": [\n{entries}\n]}}\n')
    print(f"{LIST.name}: {len(found)} advisories, the newest of {newest[:10]}")


def warning_of_age(content: dict[str, Any], today: date) -> str:
    """Return a warning where the list is older than `OLD_DAYS`; empty where it is not.

    Args:
        content: the list. A list without the date of its refresh is as old as its newest advisory.
        today: the present date.
    """
    made = date.fromisoformat(content.get("refreshed", content["newest"])[:10])
    days = (today - made).days
    if days <= OLD_DAYS:
        return ""
    missing = f"the list is of {made}, {days} days old: later advisories are missing"
    return f"warning: {missing}; SECURITY.md states how to refresh it"


def main() -> None:
    """Compare the lock with the list, or refresh the list."""
    parser = argparse.ArgumentParser(description="Compare requirements.lock with known vulnerabilities.")
    parser.add_argument(
        "--refresh", type=Path, metavar="FOLDER", help="folder with OSV files to take the list from"
    )
    parser.add_argument("--lock", type=Path, default=LOCK, help="lock file to compare (default: %(default)s)")
    options = parser.parse_args()
    packages = locked(options.lock)
    if options.refresh:
        refresh(options.refresh, packages)
    content = json.loads(LIST.read_text())
    lines = findings(content["advisories"], packages)
    print(*lines, sep="\n", end="\n" if lines else "")
    count = f"{sum(map(len, packages.values()))} locked versions, {len(content['advisories'])} advisories"
    print(f"{count} up to {content['newest'][:10]}: {len(lines)} findings")
    if warning := warning_of_age(content, date.today()):
        print(warning, file=sys.stderr)
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
