"""Too little disk space is one sentence before work begins, with sizes and what to do."""

from pathlib import Path

import pytest

from pipeline.data.store import disk
from pipeline.data.store.disk import RESERVE_BYTES, free_bytes, require_space
from pipeline.errors import UserError


def test_the_disk_of_a_folder_that_is_not_there_yet_is_examined(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.1)


def test_too_little_space_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 3_000_000_000)
    require_space(tmp_path, 3_000_000_000 - RESERVE_BYTES, "this training")
    with pytest.raises(
        UserError, match=r"this training needs about 3\.07 GB, and 3\.00 GB are free"
    ) as raised:
        require_space(tmp_path, 3_000_000_000, "this training")
    assert raised.value.exit_code == 1
