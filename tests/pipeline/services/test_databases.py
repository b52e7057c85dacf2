"""The services on PostgreSQL: databases are made, and mistakes are one sentence."""

import socket
from collections.abc import Iterator

import psycopg
import pytest

from pipeline.errors import UserError
from pipeline.services.databases import make_databases
from tests.helpers.clusters.postgresql import FOUND, postgresql


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(UserError, match="cannot be used") as problem:
        make_databases(f"postgresql://me:secret@127.0.0.1:{port}/wavecast")
    assert "\n" not in str(problem.value)
    assert "secret" not in str(problem.value)


@pytest.fixture
def server() -> Iterator[str]:
    if not FOUND:
        pytest.skip("PostgreSQL is not installed")
    with postgresql() as running:
        yield running.place


@pytest.mark.slow
def test_prefects_database_is_made_once_and_only_by_who_may(server: str) -> None:
    with psycopg.connect(f"postgresql://admin@{server}/postgres", autocommit=True) as admin:
        admin.execute("create role maker login createdb")
        admin.execute("create role other login")
        admin.execute('create database "a b" owner maker')
        with pytest.raises(UserError, match="may not make the database a b_prefect"):
            make_databases(f"postgresql://other@{server}/a%20b")
        for _ in range(2):
            make_databases(f"postgresql://maker@{server}/a%20b")
        names = {row[0] for row in admin.execute("select datname from pg_database")}
    assert "a b_prefect" in names
