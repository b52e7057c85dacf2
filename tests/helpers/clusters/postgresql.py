"""A PostgreSQL server of Debian's binaries on the loopback address, which can be killed and restarted."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.helpers.tracked_runs import free_port

FOUND = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
"""Where the binaries are; empty without PostgreSQL."""


@dataclass(frozen=True)
class PostgreSQL:
    """One server; its superuser is `admin`, without a password."""

    folder: Path
    port: int

    @property
    def place(self) -> str:
        """HOST:PORT of the server."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, as the operating system does after a crash."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self.run("pg_ctl", "-w", "-o", options, "-l", f"{self.folder}/log", "start")

    def stop(self) -> None:
        """End the server at once, if it runs."""
        if self.processes():
            self.run("pg_ctl", "-m", "immediate", "stop")

    def processes(self) -> list[psutil.Process]:
        """Return the server's main process, then its children; empty where none runs."""
        try:
            main = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
            return [main, *main.children(recursive=True)]
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return []

    def run(self, name: str, *arguments: str) -> None:
        """Run one of its programs; PostgreSQL does not run as root."""
        command = [str(Path(FOUND[0]).parent / name), "-D", str(self.folder / "data"), *arguments]
        user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Make a server and start it; end it and delete its files behind the block.

    PostgreSQL runs as another user than root, and pytest closes its own temporary folders to other users
    whenever a second pytest begins. So the server has a folder of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="wavecast-postgresql-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = PostgreSQL(folder, free_port())
        server.run("initdb", "-A", "trust", "-U", "admin")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
