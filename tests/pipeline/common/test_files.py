import json
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.common.files import atomic_path, write_json


@pytest.fixture
def umask() -> Iterator[int]:
    """Set an unusual umask for the test, and restore it afterwards."""
    mask = 0o027
    before = os.umask(mask)
    yield mask
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path: Path, umask: int) -> None:
    write_json(tmp_path / "written.json", {})
    (tmp_path / "plain").touch()
    assert mode(tmp_path / "written.json") == mode(tmp_path / "plain") == 0o666 & ~umask


def test_files_of_other_threads_keep_their_permissions_meanwhile(
    tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A umask that is changed for an instant, to be read, would give others any permissions."""
    done, modes, change = Event(), set(), os.umask

    def slow_change(mask: int) -> int:  # so that the instant is long enough to be seen
        before = change(mask)
        time.sleep(0.001)
        return before

    monkeypatch.setattr(os, "umask", slow_change)

    def create_plain_files() -> None:
        number = 0
        while not done.is_set():
            path = tmp_path / f"plain-{number}"
            path.touch()
            modes.add(mode(path))
            path.unlink()
            number += 1

    def write(number: int) -> int:
        with atomic_path(tmp_path / f"written-{number}.txt") as temporary:
            temporary.write_text(str(number))
        return mode(tmp_path / f"written-{number}.txt")

    other = Thread(target=create_plain_files)
    other.start()
    try:
        with ThreadPoolExecutor(4) as threads:
            modes.update(threads.map(write, range(50)))
    finally:
        done.set()
        other.join()
    assert modes == {0o666 & ~umask}


def test_threads_that_write_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: write_json(target, [number] * 1000), range(64)))
    content = json.loads(target.read_text())
    assert content == content[:1] * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
