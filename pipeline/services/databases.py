"""The PostgreSQL databases of the services: one for MLflow, one for Prefect, made where they are missing."""

from pipeline.errors import UserError
from pipeline.services.settings import database_address

PREFECT_SUFFIX = "_prefect"
SECONDS = 10


def make_databases(address: str) -> None:
    """Make Prefect's database beside MLflow's, which the address names and which exists.

    Raises:
        UserError: the driver is not installed, the server cannot be reached, or the user may not make it.
    """
    try:
        import psycopg
    except ImportError:
        raise UserError("--database needs a driver: pip install 'wavecast[postgresql]'") from None
    from psycopg import sql

    plain = database_address(address, "").replace("postgresql+:", "postgresql:", 1)
    name = plain.partition("?")[0].rpartition("/")[2] + PREFECT_SUFFIX
    try:
        with psycopg.connect(plain, autocommit=True, connect_timeout=SECONDS) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        raise UserError(f"--database: the user may not make the database {name}; make it by hand") from None
    except psycopg.Error as problem:
        reason = " ".join(str(problem).split())
        raise UserError(f"--database: the server cannot be used ({reason})") from None
