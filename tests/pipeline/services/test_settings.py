"""Settings of the services: kept for the user alone, and the addresses made from them."""

import stat
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.services.settings import (
    ServiceSettings,
    database_address,
    read_settings,
    services_dir,
    write_settings,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def test_settings_come_back_as_they_were_and_only_their_owner_may_read_them() -> None:
    assert read_settings() is None
    settings = ServiceSettings("/recordings", overrides=("train.epochs=1",), database="postgresql://u:p@h/d")
    write_settings(settings)
    assert read_settings() == settings
    assert stat.S_IMODE((services_dir() / "settings.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"recordings": 1, "unknown": 2}'])
def test_damaged_settings_are_one_sentence(content: str) -> None:
    services_dir().mkdir(parents=True)
    (services_dir() / "settings.json").write_text(content)
    with pytest.raises(UserError) as problem:
        read_settings()
    assert "settings.json" in str(problem.value)
    assert "\n" not in str(problem.value)


def test_mlflow_and_prefect_get_databases_of_their_own() -> None:
    address = "postgresql://me:secret@db.example:5433/wavecast?sslmode=require"
    mlflow = database_address(address, "psycopg")
    prefect = database_address(address, "asyncpg", "_prefect")
    assert mlflow == "postgresql+psycopg://me:secret@db.example:5433/wavecast?sslmode=require"
    assert prefect == "postgresql+asyncpg://me:secret@db.example:5433/wavecast_prefect?sslmode=require"


@pytest.mark.parametrize("address", ["mysql://h/d", "postgresql://h", "postgresql:///d", "wavecast"])
def test_other_databases_are_rejected(address: str) -> None:
    with pytest.raises(UserError, match="--database") as problem:
        database_address(address, "psycopg")
    assert problem.value.exit_code == 2
