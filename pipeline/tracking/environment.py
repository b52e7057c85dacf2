"""Versions, system and commit of the source that a training ran with, for the record of the run."""

import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("wavecast", "torch", "numpy")
SOURCE = Path(__file__).resolve().parents[2]
GIT_TIMEOUT_S = 5.0


def describe_environment() -> dict[str, str]:
    """Return versions by name, the `system`, and the source's `commit` if it is a git checkout."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):  # a package that is copied, not installed, has no version
            found[package] = version(package)
    commit = source_commit(SOURCE)
    return {**found, "system": platform.platform(terse=True), **({"commit": commit} if commit else {})}


def source_commit(source: Path) -> str | None:
    """Return the commit of a checkout, with `-dirty` where files differ from it; None for another folder."""
    if not (source / ".git").exists():
        return None
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
