"""The hash of a folder's files is the one that git's own identifiers give."""

import hashlib
import subprocess
from pathlib import Path

from pipeline.data.public.contents import contents_digest, top_folder


def test_the_hash_follows_from_what_git_lists(tmp_path: Path) -> None:
    for name, content in {"a/b.wav": b"one", "a-c.wav": b"", "ü.txt": b"two"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    expected = contents_digest(tmp_path)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    listed = subprocess.run(["git", "ls-files", "-sz"], cwd=tmp_path, check=True, capture_output=True).stdout
    rows = [entry.split(b"\t") for entry in listed.split(b"\0") if entry]
    lines = [head.split()[1] + b" " + path + b"\n" for head, path in sorted(rows, key=lambda row: row[1])]
    assert expected == hashlib.sha256(b"".join(lines)).hexdigest()


def test_a_renamed_or_changed_file_changes_the_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    first = contents_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = contents_digest(tmp_path)
    (tmp_path / "b").write_bytes(b"2")
    assert len({first, second, contents_digest(tmp_path)}) == 3


def test_the_top_folder_of_an_archive_is_the_only_one_in_it(tmp_path: Path) -> None:
    (tmp_path / "set-1.0" / "recordings").mkdir(parents=True)
    (tmp_path / ".marker").touch()
    assert top_folder(tmp_path) == tmp_path / "set-1.0"
    (tmp_path / "LICENCE").touch()
    assert top_folder(tmp_path) == tmp_path
