"""Settings of the services, and where they lie: `services/` in the data folder.

settings.json   the settings of the last `wavecast up`, readable by its user alone: they may hold a password
state.json      what runs now
supervisor.log, mlflow.log, prefect.log, worker.log, ...
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pipeline.common.files import atomic_path, data_dir, read_json
from pipeline.errors import UserError

HOST = "127.0.0.1"
POOL = "wavecast"
NIGHTLY = "0 2 * * *"


@dataclass(frozen=True)
class ServiceSettings:
    """What `wavecast up` starts.

    Attributes:
        recordings: the folder, address or table that scheduled runs prepare.
        config: the configuration of the scheduled runs: a YAML file or the name of an included one.
        overrides: single settings changed, as `train.epochs=3`.
        cron: when they start, in the cron format.
        timezone: of ``cron``, as in the tz database.
        mlflow_port, prefect_port: on the loopback address.
        database: address of a PostgreSQL database; None keeps SQLite files in the data folder.
        artifacts: address of the models, sounds and pictures; None keeps them in the data folder.
        inbox: folder whose complete files are moved to ``recordings``; None where that is no local folder.
        look_seconds: between two looks at the inbox.
        settle_seconds: a file is complete once it is unchanged for this long.
        new_minutes: a run starts when this much is new.
        least_gain_db: a recording of a smaller prediction gain is rejected as noise; 0 accepts all.
    """

    recordings: str
    config: str = "nightly"
    overrides: tuple[str, ...] = ()
    cron: str = NIGHTLY
    timezone: str = "UTC"
    mlflow_port: int = 5000
    prefect_port: int = 4200
    database: str | None = None
    artifacts: str | None = None
    inbox: str | None = None
    look_seconds: float = 20.0
    settle_seconds: float = 5.0
    new_minutes: float = 1.0
    least_gain_db: float = 1.0

    @property
    def mlflow_address(self) -> str:
        """The address of the MLflow UI."""
        return f"http://{HOST}:{self.mlflow_port}"

    @property
    def prefect_address(self) -> str:
        """The address of the Prefect UI."""
        return f"http://{HOST}:{self.prefect_port}"

    @property
    def prefect_api(self) -> str:
        """The address of Prefect's API."""
        return f"{self.prefect_address}/api"

    @property
    def shared_store(self) -> bool:
        """Whether runs are recorded by the MLflow server, instead of in a file of the data folder."""
        return self.database is not None or self.artifacts is not None


def services_dir() -> Path:
    """Return the folder of the services' settings, state and logs."""
    return data_dir() / "services"


def write_settings(settings: ServiceSettings) -> None:
    """Write the settings for the processes that are started with them."""
    with atomic_path(services_dir() / "settings.json") as temporary:
        temporary.chmod(0o600)
        temporary.write_text(json.dumps(asdict(settings), indent=2) + "\n")


def read_settings() -> ServiceSettings | None:
    """Return the settings of the last `wavecast up`, None where there was none.

    Raises:
        UserError: they are damaged.
    """
    path = services_dir() / "settings.json"
    if not path.exists():
        return None
    found = read_json(path, "settings of the services")
    try:
        return replace(ServiceSettings(**found), overrides=tuple(found["overrides"]))
    except (TypeError, KeyError):
        raise UserError(f"{path}: not settings of the services; delete it and run `wavecast up`") from None


def database_address(address: str, driver: str, suffix: str = "") -> str:
    """Return a PostgreSQL address for one driver, of the database named there with ``suffix`` behind.

    Args:
        address: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
        driver: as SQLAlchemy names it, such as `asyncpg`.
        suffix: MLflow and Prefect each need a database of their own: their tables of versions have one name.

    Raises:
        UserError: it is not such an address.
    """
    parts = urlsplit(address)
    name = parts.path.strip("/")
    if parts.scheme.partition("+")[0] not in ("postgresql", "postgres") or not parts.hostname or not name:
        raise UserError(
            "--database: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE; other databases are not tried",
            2,
        )
    return urlunsplit((f"postgresql+{driver}", parts.netloc, f"/{name}{suffix}", parts.query, ""))
