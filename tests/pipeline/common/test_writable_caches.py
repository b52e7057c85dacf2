"""Without a writable home, and from an installation that cannot be written, pictures are still drawn."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import tone, write_sound

NOBODY = 65_534


def test_a_spectrogram_is_drawn_without_a_home(tmp_path: Path) -> None:
    """As root, who may write anywhere, the command runs as another user."""
    sound = write_sound(tmp_path / "in.wav", tone(4_000))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:3], temporary):
        if folder != Path(folder.anchor) and os.stat(folder).st_uid == os.getuid():  # noqa: PTH116
            folder.chmod(folder.stat().st_mode | 0o755)
    temporary.chmod(0o777)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "MPL", "XDG"))},
        "HOME": "/proc/nonexistent",
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pipeline.cli.main", "spectrogram", str(sound)]
    other = {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}
    if other and shutil.which("true") and subprocess.run([sys.executable, "-c", ""], **other).returncode:  # type: ignore[call-overload]
        pytest.skip("the interpreter cannot be run by another user")
    done = subprocess.run(
        [*command, "-o", str(temporary / "out.png")],
        env=environment,
        capture_output=True,
        text=True,
        cwd=temporary,
        **other,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (temporary / "out.png").read_bytes().startswith(b"\x89PNG")
    (folder,) = temporary.glob("wavecast-cache-*")
    assert folder.stat().st_mode & 0o077 == 0
