"""Checks of the settings of `wavecast up`, before anything is started."""

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
    if settings.database is not None:
        database_address(settings.database, "psycopg")
    if "://" not in settings.recordings and not Path(settings.recordings).exists():
        raise UserError(f"{settings.recordings}: no such file or folder")
