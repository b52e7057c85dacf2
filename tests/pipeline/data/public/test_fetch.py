"""A set is in its place whole or not at all; nothing of others is touched."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from pipeline.data.public.contents import contents_digest
from pipeline.data.public.fetch import MARKER, fetch, is_fetched
from pipeline.data.public.table import PublicSet
from pipeline.errors import UserError
from tests.helpers.broken_server import Server, ranged, status, whole
from tests.pipeline.data.public.conftest import HURRIED, archive_of, set_of

FILES = {"Corpus/a/1.wav": b"one", "Corpus/b/2.wav": b"two", "Corpus/README": b"words"}
ARCHIVE = archive_of(FILES)


@pytest.fixture
def public(server: Server) -> PublicSet:
    return set_of(ARCHIVE, server.answer("/corpus.tar.gz", ranged(ARCHIVE)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "corpora"


def visible(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_set_is_unpacked_with_its_licence_and_no_archive_stays(
    public: PublicSet, place: Path, said: list[str]
) -> None:
    folder, new = fetch(public, place, HURRIED, said.append)
    assert (folder, new) == (place / "some-set", True)
    assert visible(folder) == FILES
    assert {path.name for path in place.iterdir()} <= {"some-set", ".some-set.lock"}
    facts = json.loads((folder / MARKER).read_text())
    assert (facts["licence"], facts["sha256"], facts["files"]) == ("CC0", public.sha256, 3)


def test_a_set_that_is_there_is_not_fetched_again(
    public: PublicSet, place: Path, said: list[str], server: Server
) -> None:
    folder, _ = fetch(public, place, HURRIED, said.append)
    assert fetch(public, place, HURRIED, said.append) == (folder, False)
    assert len(server.requests) == 1


def test_a_file_that_is_no_archive_is_put_into_the_folder(
    server: Server, place: Path, said: list[str]
) -> None:
    notes = set_of(b"notes", server.answer("/Notes.mat", whole(b"notes")), kind="music")
    assert visible(fetch(notes, place, HURRIED, said.append)[0]) == {"Notes.mat": b"notes"}


def test_the_folder_of_another_is_left_alone(public: PublicSet, place: Path, server: Server) -> None:
    (place / "some-set").mkdir(parents=True)
    (place / "some-set" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"was not fetched by wavecast; .*--to"):
        fetch(public, place, HURRIED)
    assert visible(place / "some-set") == {"mine.wav": b"mine"}
    assert server.requests == []


def test_an_empty_folder_is_used(public: PublicSet, place: Path) -> None:
    (place / "some-set").mkdir(parents=True)
    assert visible(fetch(public, place, HURRIED)[0]) == FILES


def test_another_version_and_missing_files_are_stated(public: PublicSet, place: Path, server: Server) -> None:
    folder, _ = fetch(public, place, HURRIED)
    newer = set_of(b"newer", *public.addresses)
    with pytest.raises(UserError, match="another version"):
        is_fetched(newer, folder)
    (folder / "Corpus/a/1.wav").unlink()
    with pytest.raises(UserError, match="1 of 3 files are missing"):
        fetch(public, place, HURRIED)


def test_two_fetches_at_once_download_once(public: PublicSet, place: Path, server: Server) -> None:
    server.answer("/corpus.tar.gz", ranged(ARCHIVE, most=100, stall=0.1), ranged(ARCHIVE))
    results: list[tuple[Path, bool]] = []
    threads = [threading.Thread(target=lambda: results.append(fetch(public, place, HURRIED))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new for _, new in results) == [False, True]
    assert server.ranges == [None, "bytes=100-"]


def test_leftovers_of_a_killed_fetch_are_replaced(public: PublicSet, place: Path, server: Server) -> None:
    work = place / ".some-set.fetch"
    (work / "unpacked" / "Corpus").mkdir(parents=True)
    (work / "unpacked" / "Corpus" / "half.wav").write_bytes(b"ha")
    (work / "tmp1234").write_bytes(b"of pooch")
    (work / "corpus.tar.gz").write_bytes(ARCHIVE)
    assert visible(fetch(public, place, HURRIED)[0]) == FILES
    assert server.requests == []
    assert not work.exists()


def test_a_set_that_does_not_fit_is_not_begun(
    public: PublicSet, place: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.parent)._replace(free=2 * len(ARCHIVE) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"are free, some-set needs .*--to"):
        fetch(public, place, HURRIED)
    assert server.requests == []


def test_a_dangerous_archive_is_deleted_even_if_its_hash_is_right(
    server: Server, place: Path, said: list[str]
) -> None:
    content = archive_of({"good.wav": b"1", "../../outside.wav": b"2"})
    bad = set_of(content, server.answer("/bad.tar.gz", whole(content)))
    with pytest.raises(UserError, match=r"bad\.tar\.gz was rejected and deleted.*outside"):
        fetch(bad, place, HURRIED, said.append)
    assert not (place / "some-set").exists()
    assert list((place / ".some-set.fetch").iterdir()) == []


def test_an_archive_that_is_made_anew_is_checked_by_its_files(
    server: Server, place: Path, said: list[str], tmp_path: Path
) -> None:
    for name, content in FILES.items():
        path = tmp_path / "expected" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digest = contents_digest(tmp_path / "expected" / "Corpus")
    unstable = {"sha256": None, "bytes": None, "at_most_bytes": 10_000, "contents": digest}
    other = archive_of({**FILES, "Corpus/a/1.wav": b"1"})
    address = server.answer("/corpus.tar.gz", whole(other), whole(archive_of(dict(reversed(FILES.items())))))
    public = set_of(ARCHIVE, address, **unstable)
    with pytest.raises(UserError, match="another hash than stated"):
        fetch(public, place, HURRIED, said.append)
    assert visible(fetch(public, place, HURRIED, said.append)[0]) == FILES
    assert said == []


def test_where_no_hash_is_known_the_first_one_is_recorded_and_said(
    server: Server, place: Path, said: list[str]
) -> None:
    unknown = {"sha256": None, "bytes": None, "at_most_bytes": 10_000}
    changed = archive_of({"Corpus/a/1.wav": b"changed"})
    address = server.answer("/corpus.tar.gz", whole(ARCHIVE), whole(ARCHIVE), whole(changed))
    public = set_of(ARCHIVE, address, **unknown)
    for expected in ("was recorded", "fetched here before", "differ from those"):
        folder, _ = fetch(public, place, HURRIED, said.append)
        assert expected in said[-1]
        shutil.rmtree(folder)


def test_a_failed_download_leaves_no_folder_of_the_set(
    public: PublicSet, place: Path, server: Server
) -> None:
    server.answer("/corpus.tar.gz", status(404))
    with pytest.raises(UserError, match="404"):
        fetch(public, place, HURRIED)
    assert not (place / "some-set").exists()
