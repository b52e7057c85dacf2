"""The services on PostgreSQL: databases are made, and mistakes are one sentence."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipeline.errors import UserError
from pipeline.services.databases import make_databases

FOUND = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(UserError, match="cannot be used") as problem:
        make_databases(f"postgresql://me:secret@127.0.0.1:{port}/wavecast")
    assert "\n" not in str(problem.value)
    assert "secret" not in str(problem.value)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not FOUND:
        pytest.skip("PostgreSQL is not installed")
    binaries = Path(FOUND[0]).parent
    folder = tmp_path_factory.mktemp("postgres")
    # PostgreSQL does not run as root.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
        for above in list(folder.parents)[:3]:
            above.chmod(above.stat().st_mode | 0o011)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(name: str, *arguments: str) -> None:
        command = [str(binaries / name), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)  # type: ignore[call-overload]

    run("initdb", "-A", "trust", "-U", "admin")
    run(
        "pg_ctl",
        "-w",
        "-o",
        f"-p {port} -k {folder} -c listen_addresses=127.0.0.1",
        "-l",
        f"{folder}/log",
        "start",
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")


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
