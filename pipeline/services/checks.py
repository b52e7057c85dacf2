"""Checks of the settings of `wavecast up`, before anything is started."""

import math
import re
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.common.files import data_dir, expanded
from pipeline.config.loading import load_config
from pipeline.errors import UserError
from pipeline.services.settings import ServiceSettings, database_address

CRON_FIELD = re.compile(r"[\dA-Za-z*,/#?L-]+")


def recordings_of(named: str) -> str:
    """Return the place of the recordings, a path from the root or an address; the default folder is made."""
    if "://" in named:
        return named
    if named:
        return str(expanded(named).absolute())
    folder = data_dir() / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def inbox_of(named: str, recordings: str) -> str | None:
    """Return the folder of the inbox, which is made; None for recordings that are no local folder.

    Args:
        named: by the user; empty is `incoming` in the data folder.
        recordings: as `recordings_of` returns it.

    Raises:
        UserError: an inbox is named for recordings that are no folder, or one folder is within the other.
    """
    if "://" in recordings or not Path(recordings).is_dir():
        if named:
            raise UserError(f"--inbox: {recordings} is no local folder, so nothing can be moved there", 2)
        return None
    inbox = (expanded(named) if named else data_dir() / "incoming").absolute()
    if inbox.is_relative_to(recordings) or Path(recordings).is_relative_to(inbox):
        raise UserError(f"--inbox {inbox}: one of the inbox and {recordings} is within the other", 2)
    try:
        inbox.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UserError(f"--inbox {inbox}: {problem.strerror}") from None
    return str(inbox)


def check_settings(settings: ServiceSettings) -> None:
    """Raise `UserError` for what the services would reject one by one, after they have started."""
    load_config(Path(settings.config), settings.overrides)
    fields = settings.cron.split()
    if len(fields) not in (5, 6) or not all(CRON_FIELD.fullmatch(field) for field in fields):
        raise UserError(f"--cron {settings.cron!r}: write five fields, such as '0 2 * * *' for 2 o'clock", 2)
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"--timezone {settings.timezone}: no such time zone; write Europe/Berlin", 2
        ) from None
    if settings.mlflow_port == settings.prefect_port:
        raise UserError(f"--mlflow-port and --prefect-port are both {settings.mlflow_port}", 2)
    for option, value in (("look-seconds", settings.look_seconds), ("new-minutes", settings.new_minutes)):
        if not value > 0:
            raise UserError(f"--{option} {value:g}: must be positive", 2)
    if not 0 <= settings.least_gain_db < math.inf:
        raise UserError(f"--least-gain-db {settings.least_gain_db:g}: must be 0 or more", 2)
    if settings.database is not None:
        database_address(settings.database, "psycopg")
    if "://" not in settings.recordings and not Path(settings.recordings).exists():
        raise UserError(f"{settings.recordings}: no such file or folder")
