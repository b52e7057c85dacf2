"""The locked versions are compared with known vulnerabilities, from files in the repository alone."""

import importlib
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT_ROOT

AUDIT = PROJECT_ROOT / ".github" / "audit" / "audit.py"


def audit(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, AUDIT, *options], capture_output=True, text=True)


def test_no_locked_version_has_a_known_vulnerability() -> None:
    done = audit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings" in done.stdout


def test_an_affected_version_is_named_with_its_advisory_and_the_fix(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("mlflow==2.10.0 \\\n    --hash=sha256:aa\nMLFlow==2.10.1 ; python_version > '3'\n")
    done = audit("--lock", lock)
    assert done.returncode == 1
    assert "mlflow 2.10.0: PYSEC-2024-51, CVE-2024-4263; fixed in 2.10.1\n" in done.stdout
    assert "mlflow 2.10.1: PYSEC-2024-51" not in done.stdout


def loaded() -> Any:
    """The script as a module."""
    sys.path.insert(0, str(AUDIT.parent))
    try:
        return importlib.import_module("audit")
    finally:
        sys.path.remove(str(AUDIT.parent))


def test_an_old_list_is_a_warning_with_its_date() -> None:
    warning_of_age = loaded().warning_of_age
    content = {"newest": "2026-01-01T07:59:30Z"}
    assert warning_of_age(content, date(2026, 4, 1)) == ""
    assert "of 2026-01-01, 91 days old" in warning_of_age(content, date(2026, 4, 2))
    assert warning_of_age({**content, "refreshed": "2026-03-01"}, date(2026, 4, 2)) == ""


@pytest.mark.parametrize(
    ("events", "affected", "spared"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2"}], ["0.1", "1.2rc1", "1.1.9"], ["1.2", "2"]),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], ["1.0", "1.5"], ["0.9", "1.5.1"]),
        ([{"introduced": "2.0"}], ["2.0", "9"], ["1.9"]),
        (  # in any order; two stretches
            [{"fixed": "1.4"}, {"introduced": "2.0"}, {"introduced": "1.0"}, {"fixed": "2.1"}],
            ["1.3", "2.0"],
            ["0.9", "1.4", "1.10", "2.1"],
        ),
        ([{"introduced": "0"}, {"limit": "*"}], ["1"], []),
    ],
)
def test_ranges_of_versions_are_those_of_the_osv_format(
    tmp_path: Path, events: list[dict[str, str]], affected: list[str], spared: list[str]
) -> None:
    """<https://ossf.github.io/osv-schema/#affectedranges-field>."""
    is_affected = loaded().is_affected
    entry = {
        "ranges": [{"type": "ECOSYSTEM", "events": events}, {"type": "GIT", "events": [{"introduced": "0"}]}]
    }
    assert [is_affected(entry, version) for version in affected + spared] == (
        [True] * len(affected) + [False] * len(spared)
    )


def test_a_list_without_advisories_on_locked_packages_is_rejected(tmp_path: Path) -> None:
    """So that a wrong folder never empties the list."""
    other = {
        "id": "X-1",
        "affected": [{"package": {"ecosystem": "npm", "name": "mlflow"}, "versions": ["1"]}],
    }
    (tmp_path / "x.json").write_text(json.dumps(other))
    before = (AUDIT.parent / "advisories.json").read_bytes()
    done = audit("--refresh", tmp_path)
    assert done.returncode == 1
    assert "holds no advisory on a locked package" in done.stderr
    assert (AUDIT.parent / "advisories.json").read_bytes() == before
