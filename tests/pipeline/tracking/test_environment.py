"""The record of what a training ran with."""

import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

from pipeline.tracking.environment import describe_environment, source_commit


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", folder, *names, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_versions_are_those_that_run() -> None:
    found = describe_environment()
    assert found["python"] == platform.python_version()
    assert torch.__version__.startswith(found["torch"])
    assert np.__version__ == found["numpy"]
    assert found["system"]


def test_the_commit_is_that_of_the_checkout_and_is_marked_if_files_differ(tmp_path: Path) -> None:
    assert source_commit(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.py").write_text("a = 1")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "--quiet", "--message", "a")
    commit = source_commit(tmp_path)
    assert commit is not None
    assert git(tmp_path, "rev-parse", "HEAD").startswith(commit)
    assert len(commit) == 12
    (tmp_path / "a.py").write_text("a = 2")
    assert source_commit(tmp_path) == f"{commit}-dirty"
