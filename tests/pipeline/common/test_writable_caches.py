"""Without a writable home, and from an installation that cannot be written, pictures are still drawn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.common.writable_caches import use_writable_caches
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import tone, write_sound

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def read_only_installation() -> list[str]:
    """Return what runs a command so that the libraries cannot be written: root may write anywhere else."""
    if os.getuid() != 0:
        return []
    prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY, sys.prefix]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the installation cannot be made read-only here")
    return prefix


@pytest.mark.slow
def test_a_spectrogram_is_drawn_without_a_home_and_a_cache(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "in.wav", tone(4_000))
    (tmp_path / "tmp").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "MPL", "XDG"))},
        **{"HOME": "/proc/nonexistent", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(PROJECT_ROOT)},
    }
    command = [sys.executable, "-m", "pipeline.cli.main", "spectrogram", sound, "-o", tmp_path / "out.png"]
    call = [*read_only_installation(), *map(str, command)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    (folder,) = (tmp_path / "tmp").glob("wavecast-cache-*")
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_set_or_can_be_written_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path) if kept else "/proc/nonexistent")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    use_writable_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"
    assert ("MPLCONFIGDIR" in os.environ) is not kept
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)


def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches hold code that is run."""
    monkeypatch.setenv("HOME", "/proc/nonexistent")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("MPLCONFIGDIR", "/mine")
    open_to_all = tmp_path / f"wavecast-cache-{os.getuid()}"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    use_writable_caches()
    assert not Path(os.environ["NUMBA_CACHE_DIR"]).is_relative_to(open_to_all)
