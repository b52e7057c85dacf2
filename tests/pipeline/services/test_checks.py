"""Mistakes in `wavecast up` are found before a server is started."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.services.checks import check_settings, recordings_of
from pipeline.services.settings import ServiceSettings


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cron": "every night"}, "--cron"),
        ({"cron": "0 2 * *"}, "--cron"),
        ({"timezone": "Europe/Atlantis"}, "--timezone"),
        ({"timezone": "../etc/passwd"}, "--timezone"),
        ({"mlflow_port": 4200}, "4200"),
        ({"database": "mysql://h/d"}, "--database"),
        ({"least_gain_db": -1.0}, "--least-gain-db"),
        ({"config": "nightlie"}, "nightlie"),
        ({"overrides": ("train.epochs=none",)}, "--set"),
        ({"recordings": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, wrong: dict[str, object], words: str) -> None:
    fine = ServiceSettings(str(tmp_path))
    check_settings(fine)
    with pytest.raises(UserError) as problem:
        check_settings(replace(fine, **wrong))  # type: ignore[arg-type]
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def test_recordings_without_a_name_are_a_folder_of_the_data_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Path(recordings_of("")) == tmp_path / "recordings"
    assert (tmp_path / "recordings").is_dir()
    assert recordings_of("s3://bucket/speech") == "s3://bucket/speech"
    assert recordings_of("mine") == str(tmp_path / "mine")
