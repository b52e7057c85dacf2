"""A preparation whose rows do not fit on the disk is rejected before anything is converted."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.preparation import prepare
from pipeline.data.preparing import space
from pipeline.data.store import disk
from pipeline.errors import UserError
from tests.helpers.builders import run_config, write_sound


@pytest.mark.parametrize("count", [3, 600])
def test_the_estimate_is_that_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """From all headers, or from some of them; the content of the files does not matter."""
    sources = [write_sound(tmp_path / f"{index}.flac", np.zeros(800, np.int16)) for index in range(count)]
    needed: list[int] = []
    monkeypatch.setattr(space, "free_bytes", lambda folder: 0)
    monkeypatch.setattr(space, "require_space", lambda folder, size, what: needed.append(size))
    prepare(run_config(sources))
    assert needed == [count * 800 * 2]


def test_nothing_is_converted_where_the_rows_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conversions: list[Path]
) -> None:
    write_sound(tmp_path / "a.wav", np.zeros(800, np.int16))
    for module in (disk, space):
        monkeypatch.setattr(module, "free_bytes", lambda folder: 1_000)
    with pytest.raises(UserError, match="too little disk space: the conversion of 1 recordings"):
        prepare(run_config(tmp_path))
    assert not conversions
