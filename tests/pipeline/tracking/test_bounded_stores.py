"""Databases and object stores that never answer cost bounded time, and end in one sentence."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.registry.catalogue import registered_versions
from pipeline.tracking.mlflow_client import artifact_repository, connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import TrackingUnavailable, tracking_errors
from pipeline.tracking.sync import try_sync

ENCRYPTION = (80_877_103, 80_877_104)
"""Codes of PostgreSQL's requests for an encrypted connection."""
LONGEST_S = 30.0
"""Far above the limits of these tests, far below the hours and minutes of the libraries."""


def silent(connection: socket.socket) -> None:
    """Accept a connection, and answer nothing."""


def greets(connection: socket.socket) -> None:
    """Begin a session as PostgreSQL does, and answer no question."""
    while True:
        length, code = struct.unpack("!II", connection.recv(8, socket.MSG_WAITALL))
        connection.recv(length - 8, socket.MSG_WAITALL)
        if code not in ENCRYPTION:
            break
        connection.sendall(b"N")
    connection.sendall(b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I")


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on a port of this machine that answers each connection, and then nothing more."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return
                threading.Thread(target=answer, args=(kept[-1],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.db import utils

    from pipeline.tracking import bounded_stores

    monkeypatch.setitem(bounded_stores.CONNECTING, "postgresql", {"connect_timeout": 2})
    for name, value in (("CONNECT_S", 1), ("ANSWER_S", 1), ("TRIES", 1)):
        monkeypatch.setattr(bounded_stores, name, value)
    monkeypatch.setattr(utils, "MAX_RETRY_COUNT", 1)
    for name in ("PGHOST", "PGCONNECT_TIMEOUT", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)


def within_limits(use: Callable[[], object]) -> str:
    began = time.monotonic()
    with pytest.raises(TrackingUnavailable) as caught:
        use()
    assert time.monotonic() - began < LONGEST_S
    assert str(caught.value).isprintable()
    assert "geheim" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("answer", [silent, greets])
def test_a_database_that_never_answers_is_unavailable(answer: Callable[[socket.socket], None]) -> None:
    with listening(answer) as port:
        address = f"postgresql+psycopg://someone:geheim@127.0.0.1:{port}/runs"
        assert "is unavailable" in within_limits(lambda: registered_versions(address))


def test_a_run_for_such_a_database_is_kept_and_sent_later(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with listening(greets) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+psycopg://a:geheim@127.0.0.1:{port}/runs")
        began = time.monotonic()
        assert not try_sync(run)
        assert time.monotonic() - began < LONGEST_S
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "to be sent later" in lines[0]


@pytest.mark.slow
def test_an_object_store_that_never_answers_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local_store: Path
) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "geheim")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    (tmp_path / "a.txt").write_text("a")
    with listening(silent) as port:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        server = f"http://127.0.0.1:{port}"

        def send() -> None:
            with tracking_errors(server):
                connect(server)
                artifact_repository(server, "s3://bucket/runs").log_artifact(str(tmp_path / "a.txt"))

        within_limits(send)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_a_store_that_is_no_file_is_said_at_once(kind: str, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    {
        "folder": database.mkdir,
        "pipe": lambda: os.mkfifo(database),
        "device": lambda: database.symlink_to("/dev/zero"),
    }[kind]()
    with pytest.raises(UserError, match=r"damaged store of runs and models .*not a file"):
        registered_versions(f"sqlite:///{database}")


def test_a_database_that_stops_to_answer_ends_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    from pipeline.tracking import bounded_stores

    bounded_stores.bound_databases()
    with listening(greets) as port:
        address = f"postgresql+psycopg://a:b@127.0.0.1:{port}/runs"
        engine = create_engine(address, _initialize=False)
        began = time.monotonic()
        with engine.connect() as connection, pytest.raises(OperationalError):
            connection.exec_driver_sql("select 1")
        assert 0.9 < time.monotonic() - began < LONGEST_S
    assert not bounded_stores._clocks
