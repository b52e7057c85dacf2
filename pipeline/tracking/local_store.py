"""The local SQLite store: its address, its folder of artifacts, and the repair after the data folder moved.

MLflow writes absolute addresses of artifacts into the store. When the data folder was moved or copied, they
are rewritten before MLflow opens the store. What only reads finds the artifacts beside the store.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from pipeline.errors import UserError, print_notice

ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""Tables and columns of MLflow's store that hold addresses of artifacts."""
ARTIFACTS = "artifacts"
TRAINING_PAGES = "workflowType=machine_learning"
"""Part of an address with which the MLflow UI shows the pages of trainings, not those of language models."""
SPECIAL = frozenset("%?#")
"""Characters of a path that have a meaning in the address of a store."""


def sqlite_address(database: Path) -> str:
    """Return the address of the SQLite store in the file ``database``, whatever its path contains."""
    path = database.as_posix()
    if SPECIAL.isdisjoint(path):
        return f"sqlite:///{path}"
    # SQLite decodes this form itself. In the usual one SQLAlchemy ends the path at the first question mark.
    return f"sqlite:///file:{quote(path)}?uri=true"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite store; None for servers and other databases."""
    if not uri.startswith("sqlite:///"):
        return None
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(unquote(path.removeprefix("file:")) if path.startswith("file:") else path).absolute()


def read_only(database: Path) -> sqlite3.Connection:
    """Return a connection that only reads; use it with `contextlib.closing`.

    Raises:
        sqlite3.OperationalError: there is no regular file. SQLite would wait for a pipe.
    """
    if not database.is_file():
        raise sqlite3.OperationalError("not a file")
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=20)


def local_folder(database: Path, address: str) -> Path | None:
    """Return the folder of artifacts at ``address``, looked for beside the store if that has moved.

    None for an address that is no folder of this machine.
    """
    if not address.startswith("file:"):
        return None
    stated = Path(url2pathname(urlsplit(address).path))
    if stated.parts[-3::2] == (ARTIFACTS, ARTIFACTS):  # MLflow's own layout: artifacts/RUN/artifacts
        beside = database.parent.joinpath(*stated.parts[-3:])
        if beside.is_dir():
            return beside
    return stated


def newest_experiment(database: Path | None) -> str:
    """Return the path of the MLflow page with the newest run; empty where there is no run."""
    if database is None or not database.exists():
        return ""
    query = (
        "select experiment_id from runs join experiments using (experiment_id)"
        " where runs.lifecycle_stage = 'active' and experiments.lifecycle_stage = 'active'"
        " order by start_time desc limit 1"
    )
    try:
        with closing(read_only(database)) as connection:
            found = connection.execute(query).fetchone()
    except sqlite3.Error:
        return ""
    return f"/#/experiments/{found[0]}/runs?{TRAINING_PAGES}" if found else ""


def check_store(database: Path) -> None:
    """Raise `UserError` where the store is no file, or SQLite finds it damaged."""
    advice = "the runs are still in their folders: rename the file, and they are sent and registered anew"
    if not database.is_file():
        what = "a folder, a device or a pipe, not a file"
        raise UserError(f"{database}: damaged store of runs and models ({what}); {advice}")
    try:
        with closing(read_only(database)) as connection:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return  # locked or not readable now, which its use reports
    except sqlite3.DatabaseError as problem:
        found = str(problem)
    if found != "ok":
        reason = " ".join(str(found).split())[:120]
        raise UserError(f"{database}: damaged store of runs and models ({reason}); {advice}")


def repair_moved(database: Path) -> None:
    """Rewrite the addresses of artifacts in a store that was moved or copied together with them."""
    root = (database.parent / ARTIFACTS).as_uri()
    try:
        with closing(read_only(database)) as connection:
            earlier = _earlier_root(connection, root)
        if earlier is None or not (database.parent / ARTIFACTS).is_dir():
            return
        with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
            connection.execute("begin immediate")
            for table, column in _present(connection):
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?)"
                    f" where {column} = ? or substr({column}, 1, ?) = ?",
                    (root, len(earlier) + 1, earlier, len(earlier) + 1, f"{earlier}/"),
                )
    except sqlite3.Error:
        return  # not laid out as expected, or read-only: MLflow reports what it cannot use
    before = url2pathname(urlsplit(earlier).path)
    print_notice(f"{database}: moved here from {Path(before).parent}; its addresses of files were corrected")


def _earlier_root(connection: sqlite3.Connection, root: str) -> str | None:
    """Return the folder of artifacts that the store was made with, if it was another one of wavecast's."""
    # MLflow makes the experiment 0 with the store. Others may have an address that a user chose.
    found = connection.execute("select artifact_location from experiments where experiment_id = 0").fetchone()
    base = str(found[0]).removesuffix("/0") if found else ""
    return base if base.startswith("file:") and base.endswith(f"/{ARTIFACTS}") and base != root else None


def _present(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return those of `ADDRESSES` that this version of MLflow has."""
    return [
        (table, column)
        for table, column in ADDRESSES
        if any(row[1] == column for row in connection.execute(f"pragma table_info({table})"))
    ]
