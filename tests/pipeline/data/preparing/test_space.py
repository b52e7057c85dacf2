"""A preparation whose rows do not fit on the disk is rejected before anything is converted."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.preparation import prepare
from pipeline.data.preparing import space
from pipeline.data.store import disk
from pipeline.errors import UserError
from tests.helpers.builders import noise, run_config, write_sound


@pytest.mark.parametrize("count", [3, 600])
def test_the_estimate_is_that_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """From all headers, or from some of them; the content of the files does not matter."""
    sources = [write_sound(tmp_path / f"{index}.flac", np.zeros(800, np.int16)) for index in range(count)]
    needed: list[int] = []
    monkeypatch.setattr(space, "free_bytes", lambda folder: 0)
    monkeypatch.setattr(space, "require_space", lambda folder, size, what, others: needed.append(size))
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


def test_the_room_of_several_folders_is_that_of_their_disks_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two folders of one disk count once, and `/proc` is another one."""
    monkeypatch.setattr(disk, "free_bytes", lambda folder: disk.RESERVE_BYTES)
    disk.require_space(tmp_path, disk.RESERVE_BYTES, "it", [Path("/proc")])
    with pytest.raises(UserError, match=f"^{tmp_path}, {tmp_path / 'b'}: too little"):
        disk.require_space(tmp_path, disk.RESERVE_BYTES, "it", [tmp_path / "b"])


def test_much_sound_in_small_files_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence of any length fits into a small FLAC file."""
    monkeypatch.setattr(space, "NOTED_BYTES", 1 << 20)
    write_sound(tmp_path / "speech.flac", noise(700_000))
    prepare(run_config(tmp_path / "speech.flac"))
    assert "of rows are written" not in capsys.readouterr().err
    silence = write_sound(tmp_path / "silence.flac", np.zeros(8_000 * 120, np.int16))
    assert silence.stat().st_size < 20_000
    prepare(run_config(tmp_path / "silence.flac"))
    assert "MB hold 2.0 min of sound: about 0.00 GB of rows are written" in capsys.readouterr().err
