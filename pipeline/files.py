"""Where run-time files lie, and writing them so that a reader never meets half of one."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import UserError


def data_dir() -> Path:
    """The folder under which everything made at run time lies.

    ``WAVECAST_DATA`` names it; otherwise it is ``data/`` of the checkout that the package is imported from,
    so that every working directory sees the same runs and models, or ``./data`` for a copied package.
    """
    named = os.environ.get("WAVECAST_DATA")
    if named:
        return Path(named).expanduser().absolute()
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "data"


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``target``; rename it onto ``target`` when the block ends well.

    The suffix is kept, since writers choose a format by it. When the block raises, nothing is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o666 & ~_umask())
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(target)) from problem
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file; a missing or damaged one is a `UserError` that names ``what`` it should be."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such {what}") from None
    except (ValueError, OSError) as problem:
        raise UserError(f"{path}: not a readable {what} ({problem})") from None


def refuse_overwrite(path: Path, overwrite: bool) -> None:
    """Raise `UserError` where ``path`` exists and is not to be replaced, or cannot be looked at."""
    try:
        there = path.exists()
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror})") from None
    if there and not overwrite:
        raise UserError(f"{path}: exists already; give --overwrite to replace it, or another name")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
