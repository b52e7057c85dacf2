"""Limits on the databases and object stores that MLflow's client reaches by other libraries than `requests`.

Their own defaults wait for ever, or for minutes (S3). Import this module only together with MLflow.
"""

import os
import socket
from contextlib import suppress
from threading import Timer
from typing import Any

from pipeline.tracking.store import seconds_left

CONNECT_S = 10
"""Longest time until a database or an object store has accepted a connection and answers on it."""
ANSWER_S = 20
"""Longest time of one question to a database, and between two bytes of an object store."""
TRIES = 2
"""Connections and requests that are tried before a store counts as unavailable."""
CONNECTING: dict[str, dict[str, int]] = {
    "postgresql": {"connect_timeout": CONNECT_S},
    "mysql": {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S, "write_timeout": ANSWER_S},
    "mssql": {"timeout": CONNECT_S},
}
"""Arguments of the drivers by the name of the database; what the address of a store states has priority."""
_clocks: dict[int, Timer] = {}
"""The running clocks, by the identity of the driver's connection."""


def bound_databases() -> None:
    """Let SQLAlchemy connect and wait with limits from now on, in the whole process."""
    from mlflow.store.db import utils
    from sqlalchemy import Engine, Pool, event

    utils.MAX_RETRY_COUNT = TRIES
    if event.contains(Engine, "do_connect", _connect):
        return
    event.listen(Engine, "do_connect", _connect)
    event.listen(Pool, "checkout", _checked_out)
    event.listen(Engine, "before_cursor_execute", _begin)
    event.listen(Engine, "after_cursor_execute", _end)
    event.listen(Engine, "handle_error", _fail)


def bound_object_stores() -> None:
    """Let botocore wait with limits from now on, in the whole process."""
    with suppress(ImportError):  # then MLflow states what is missing
        from botocore.config import Config

        Config.OPTION_DEFAULTS.update(connect_timeout=CONNECT_S, read_timeout=ANSWER_S)
        os.environ.setdefault("AWS_MAX_ATTEMPTS", str(TRIES))


def _connect(dialect: Any, _: Any, positional: list[Any], named: dict[str, Any]) -> Any:
    """Connect, and start the clock of the first questions, which SQLAlchemy asks without events."""
    driver = dialect.connect(*positional, **{**CONNECTING.get(dialect.name, {}), **named})
    _start(driver)
    return driver


def _checked_out(driver: Any, _: Any, __: Any) -> None:
    _stop(driver)


def _begin(connection: Any, *_: Any) -> None:
    _start(connection.connection.dbapi_connection)


def _end(connection: Any, *_: Any) -> None:
    _stop(connection.connection.dbapi_connection)


def _fail(problem: Any) -> None:
    if problem.connection is not None and not problem.connection.invalidated:
        _stop(problem.connection.connection.dbapi_connection)


def _start(driver: Any) -> None:
    """Start the clock of a connection, where the driver shows its socket."""
    _stop(driver)
    if hasattr(driver, "fileno"):
        clock = Timer(max(0.0, seconds_left(ANSWER_S)), _hang_up, [driver])
        clock.daemon = True
        _clocks[id(driver)] = clock
        clock.start()


def _stop(driver: Any) -> None:
    clock = _clocks.pop(id(driver), None)
    if clock is not None:
        clock.cancel()


def _hang_up(driver: Any) -> None:
    """End the connection under a question that takes too long: the driver reports that the server is away."""
    with suppress(Exception), socket.socket(fileno=os.dup(driver.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
