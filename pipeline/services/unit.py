"""The systemd user unit that starts the services again when the machine does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.common.files import atomic_path, data_dir
from pipeline.errors import UserError

NAME = "wavecast.service"


def unit_text() -> str:
    """Return the unit: it starts the services with the settings of the last `wavecast up`."""
    return f"""[Unit]
Description=wavecast: MLflow, Prefect and a worker on the loopback address
After=network.target

[Service]
Environment="WAVECAST_DATA={_escaped(str(data_dir()))}"
WorkingDirectory={_escaped(str(Path(__file__).resolve().parents[2]))}
ExecStart="{_escaped(sys.executable)}" -m pipeline.services.supervisor
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=150

[Install]
WantedBy=default.target
"""


def _escaped(text: str) -> str:
    """Return a text in which systemd replaces nothing."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def install_unit() -> list[str]:
    """Write the unit for this user and enable it; return what is left to do by hand.

    Raises:
        UserError: the unit cannot be written.
    """
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    try:
        with atomic_path(folder / NAME) as temporary:
            temporary.write_text(unit_text())
    except OSError as problem:
        raise UserError(f"{folder / NAME}: cannot be written ({problem.strerror})") from None
    todo = [f"systemctl --user enable {NAME}", "loginctl enable-linger"]
    if shutil.which("systemctl") is None:
        return todo
    left = []
    for command in ("systemctl --user daemon-reload", *todo):
        done = subprocess.run(command.split(), capture_output=True, timeout=30, check=False)
        if done.returncode:
            left.append(command)
    return left
