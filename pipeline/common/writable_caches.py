"""Folders for the caches of numba and matplotlib where their usual places cannot be written.

Without a writable home, or from a read-only installation, numba does not compile functions with a cache, and
matplotlib warns. Then both get a private folder below the system's temporary one.
"""

import os
import stat
import sys
import tempfile
from pathlib import Path


def use_writable_caches() -> None:
    """Set NUMBA_CACHE_DIR and MPLCONFIGDIR to a folder that can be written, unless they are set.

    Call it before numba and matplotlib are imported.
    """
    wanted = [name for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR") if not os.environ.get(name)]
    if not wanted or _home_is_writable():
        return
    folder = _private_folder()
    for name in wanted:
        os.environ[name] = str(folder / name.lower())
        (folder / name.lower()).mkdir(exist_ok=True)


def keep_compiled_code() -> None:
    """Set NUMBA_CACHE_DIR to a folder that stays, for code that lies in another place at each start.

    Does nothing where it is set, or where numba is imported already, which reads it once.
    """
    use_writable_caches()
    if os.environ.get("NUMBA_CACHE_DIR") or "numba" in sys.modules:
        return
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    folder = Path(home) / "wavecast" / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _home_is_writable() -> bool:
    """Return whether the folders for caches and settings below the home exist or can be made."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  which never raises
    places = [
        Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache"),
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config"),
    ]
    return all(_is_writable(place) for place in places)


def _is_writable(place: Path) -> bool:
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not os.path.isdir(place):  # noqa: PTH112
        return False
    try:  # access() is no evidence for /proc and similar places, least of all for root
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _private_folder() -> Path:
    """Return this user's folder; another one each time where somebody else has made it already.

    Both caches may hold code that is run, so that nobody else may write there.
    """
    folder = Path(tempfile.gettempdir()) / f"wavecast-cache-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
        if not private:
            return Path(tempfile.mkdtemp(prefix="wavecast-cache-"))
    return folder
