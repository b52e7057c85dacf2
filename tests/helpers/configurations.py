"""Configurations for tests: written as files, and the message with which one is refused."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config
from pipeline.errors import UserError


def written(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refusal(path: Path | None = None, overrides: list[str] | None = None) -> str:
    with pytest.raises(UserError) as printed:
        load_config(path, overrides or [])
    assert printed.value.exit_code == 2
    return str(printed.value)
