"""Lists of models: the versions in the registry, and the trained runs on this machine.

A local store is read straight from its tables, which takes a millisecond; MLflow's import takes seconds.
"""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.errors import UserError
from pipeline.tracking.local_store import read_only, sqlite_file
from pipeline.tracking.mlflow_client import RUN_TAG, connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import tracking_errors

PIN_TAG = "wavecast.pinned"
"""Tag of a registered model: number of the version that stays champion whatever runs find."""
DECISION_TAG = "wavecast.promotion."
"""Beginning of the tags of a version that say what was decided on it."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model.

    Attributes:
        name: of the registered model.
        version: its number.
        run_id: MLflow's id of the run that trained it; empty if it has none.
        run_name: name of that run's folder; empty if wavecast did not register it.
        aliases: names that point at this version.
    """

    name: str
    version: int
    run_id: str
    run_name: str
    aliases: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and number, with the aliases and the run in brackets."""
        notes = [*self.aliases, *([f"run {self.run_name}"] if self.run_name else [])]
        return f"{self.name}/{self.version}" + (f" ({', '.join(notes)})" if notes else "")


def registered_versions(uri: str) -> list[RegisteredVersion]:
    """Return all registered versions in the store at ``uri``, the newest first.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    database = sqlite_file(uri)
    if database is not None:
        if not database.exists():
            return []
        found = _read_tables(database)
        if found is not None:
            return found
    with tracking_errors(uri):
        client = connect(uri)
        models = client.search_registered_models()
        names: dict[tuple[str, int], list[str]] = {}
        for model in models:
            for alias, version in model.aliases.items():
                names.setdefault((model.name, int(version)), []).append(alias)
        versions = sorted(client.search_model_versions(), key=lambda v: -v.creation_timestamp)
        return [
            RegisteredVersion(
                v.name,
                int(v.version),
                v.run_id or "",
                run_folder_name(v.tags.get(RUN_TAG)),
                tuple(sorted(names.get((v.name, int(v.version)), []))),
            )
            for v in versions
        ]


def _read_tables(database: Path) -> list[RegisteredVersion] | None:
    """Read MLflow's own tables; None where they are laid out otherwise than expected."""
    aliases: dict[tuple[str, int], list[str]] = {}
    try:
        with closing(read_only(database)) as connection:
            for name, version, alias in connection.execute(
                "select name, version, alias from registered_model_aliases order by alias"
            ):
                aliases.setdefault((str(name), int(version)), []).append(str(alias))
            rows = connection.execute(
                "select v.name, v.version, v.run_id, t.value from model_versions v"
                " left join model_version_tags t on t.name = v.name and t.version = v.version and t.key = ?"
                " where v.current_stage <> 'Deleted_Internal'"
                " order by v.creation_time desc, v.version desc",
                (RUN_TAG,),
            ).fetchall()
        return [
            RegisteredVersion(
                str(name),
                int(version),
                str(run_id or ""),
                run_folder_name(run),
                tuple(aliases.get((str(name), int(version)), ())),
            )
            for name, version, run_id, run in rows
        ]
    except (sqlite3.Error, ValueError, TypeError):  # SQLite has values of any type in any column
        return None


def run_folder_name(tag: str | None) -> str:
    """Return the name of a run's folder from a tag of the store; empty for one that could lead elsewhere.

    >>> run_folder_name("demo-gru-988ad8c036"), run_folder_name("../../x"), run_folder_name(None)
    ('demo-gru-988ad8c036', '', '')
    """
    return tag if tag and re.fullmatch(r"[^/\\\0]+", tag) and tag not in (".", "..") else ""


def trained_runs() -> list[RunFolder]:
    """Return the runs on this machine that have a model, the newest first."""
    models = (data_dir() / "runs").glob("*/model/config.json")
    found = sorted(models, key=lambda path: (path.stat().st_mtime_ns, path), reverse=True)
    return [RunFolder(path.parent.parent) for path in found if (path.parent.parent / "run.json").is_file()]


def variant_of(run: RunFolder) -> str:
    """Return the name of the variant that a run trained, empty if its description is damaged."""
    try:
        return str(run.description().get("variant", ""))
    except UserError:
        return ""


def validation_bits(folder: Path) -> float | None:
    """Return the bits per sample of a model on its validation split, by its density.

    None for a model that is not there or damaged, of other than samples, or without that figure.
    """
    from pipeline.model.storage import load_model

    try:
        model = load_model(folder)
    except UserError:
        return None
    nats = model.trained.get("valid_nats_per_step")
    if nats is None:
        return None
    return model.representation.bits_per_sample(float(nats) / model.framing.target_size, model.normalisation)
