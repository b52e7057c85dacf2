"""Where run-time files lie: by name, in a checkout, and for an installed package."""

from pathlib import Path

import pytest

from pipeline.common.files import data_dir
from pipeline.diagnostics.installation import examine_installation
from pipeline.errors import UserError
from tests.conftest import PROJECT_ROOT
from tests.helpers.diagnostics import found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package lay in `site-packages`; tests/test_wheel.py installs it there in earnest."""
    monkeypatch.setattr(
        "pipeline.common.files.__file__", f"{tmp_path}/site-packages/pipeline/common/files.py"
    )
    monkeypatch.delenv("WAVECAST_DATA")


def test_a_checkout_has_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAVECAST_DATA")
    assert data_dir() == PROJECT_ROOT / "data"


@pytest.mark.usefixtures("installed")
def test_an_installed_package_uses_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert data_dir() == tmp_path / "home" / "wavecast"
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "named"))
    assert data_dir() == tmp_path / "named"


@pytest.mark.usefixtures("installed")
def test_a_home_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UserError, match="set WAVECAST_DATA to a folder that you may write in"):
        data_dir()
    assert found(examine_installation(), "data") == "problem"
