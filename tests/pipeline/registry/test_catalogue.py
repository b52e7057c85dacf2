"""A local store that is damaged, or holds values of other types, ends in one sentence or is read."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.registry.catalogue import registered_versions
from pipeline.registry.registration import champion, list_models, register
from pipeline.registry.registry import find_model
from pipeline.tracking.local_store import newest_experiment, sqlite_address
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import try_sync
from tests.helpers.tracked_runs import add_model

CHANGES = (
    "update model_versions set version = 'x'",
    "update model_versions set run_id = x'ff00'",
    "update model_versions set source = x'ff00'",
    "update model_versions set creation_time = 'abc'",
    "update model_version_tags set value = x'ff'",
    "update registered_model_aliases set version = 'x'",
    "update runs set artifact_uri = 5",
    "update experiments set artifact_location = x'00ff'",
    "delete from runs",
    "drop table model_versions",
    "drop table alembic_version",
)


def use_all(database: Path, run: RunFolder) -> None:
    """Use the store in every way; what it raises must be a sentence."""
    address, sentences = sqlite_address(database), list[str]()
    for use in (
        lambda: registered_versions(address),
        lambda: find_model(uri=address),
        lambda: find_model("models:/digits@champion", uri=address),
        lambda: list_models(address),
        lambda: champion("digits", address),
        lambda: register(run, "digits"),
        lambda: try_sync(run),
    ):
        try:
            use()
        except UserError as problem:
            sentences.append(str(problem))
    newest_experiment(database)
    assert all(sentence.isprintable() for sentence in sentences)


@pytest.fixture
def filled(local_store: Path, run: RunFolder) -> Path:
    """A store with one registered version, which is the champion."""
    from pipeline.registry.registration import set_alias

    add_model(run)
    set_alias("digits", register(run, "digits"), "champion")
    return local_store


@pytest.mark.slow
def test_values_of_other_types_and_missing_tables(filled: Path, run: RunFolder, tmp_path: Path) -> None:
    whole = shutil.copy(filled, tmp_path / "whole.db")
    for change in CHANGES:
        shutil.copy(whole, filled)
        with closing(sqlite3.connect(filled)) as connection, connection:
            connection.execute("pragma foreign_keys = off")
            connection.execute(change)
        use_all(filled, run)


@pytest.mark.slow
def test_flipped_bits_and_overwritten_pages(filled: Path, run: RunFolder) -> None:
    whole, numbers = filled.read_bytes(), random.Random(13)
    for case in range(200):
        data = bytearray(whole)
        place = numbers.randrange(100, len(data))
        if case % 4 == 0:
            page = place // 4_096 * 4_096
            data[page : page + 4_096] = numbers.randbytes(4_096)
        else:
            data[place // 4_096 * 4_096 + numbers.randrange(100)] ^= 1 << numbers.randrange(8)
        filled.write_bytes(data)
        use_all(filled, run)
