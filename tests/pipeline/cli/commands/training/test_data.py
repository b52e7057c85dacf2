"""`wavecast data`: a list, the facts of one set, and a folder that the next command takes."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.data.public import table
from pipeline.data.public.table import PublicSet
from tests.helpers.broken_server import Server, serving, status, whole
from tests.helpers.builders import speakers_folder
from tests.helpers.cli import Run, refused
from tests.pipeline.data.public.conftest import archive_of, set_of


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def listed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublicSet:
    """A set in the table whose archive a local server has."""
    folder = speakers_folder(tmp_path / "made")
    sounds = {f"Corpus/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    content = archive_of(sounds)
    public = set_of(content, server.answer("/corpus.tar.gz", whole(content)))
    monkeypatch.setattr(table, "all_sets", lambda: {"some-set": public})
    return public


def test_the_list_has_every_set_with_its_size_and_states_what_is_unknown(wavecast: Run) -> None:
    rows = [line.split("\t") for line in wavecast("data", "list").out.splitlines()]
    found = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    assert found["ljspeech"]["size"] == "2.7 GB"
    assert found["ljspeech"]["hash"] == "SHA-256"
    assert (found["esc-50"]["size"], found["esc-50"]["hash"]) == ("unknown", "none known")
    facts = {one["name"]: one for one in json.loads(wavecast("data", "list", "--json").out)}
    assert facts.keys() == found.keys()
    assert facts["esc-50"]["sha256"] is None
    assert facts["ljspeech"]["folder"] is None


def test_one_set_is_shown_with_licence_citation_and_source(wavecast: Run) -> None:
    out = wavecast("data", "show", "ESC-50").out
    for words in ("CC BY-NC 3.0", "K. J. Piczak", "unknown", "not fetched", "GitHub"):
        assert words in out


def test_a_fetched_set_is_what_the_printed_command_prepares(
    wavecast: Run, listed: PublicSet, own_data_dir: Path
) -> None:
    done = wavecast("data", "fetch", "some-set")
    assert (done.code, done.error) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"some-set  {own_data_dir / 'public' / 'some-set'}"
    words = shlex.split(lines[-1].removeprefix("next: wavecast "))
    assert words[-1].endswith("some-set/Corpus")
    prepared = wavecast(*words, "--json")
    assert prepared.code == 0, prepared.error
    assert json.loads(prepared.out)["recordings"] == 20
    assert json.loads(prepared.out)["refused"] == []
    again = wavecast("data", "fetch", "some-set", "--json")
    assert json.loads(again.out)[0]["new"] is False


def test_each_set_of_notes_is_for_a_run_of_its_own(
    wavecast: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.answer("/Notes.mat", whole(b"notes"))
    sets = {name: set_of(b"notes", address, name=name, kind="music") for name in ("one", "two")}
    monkeypatch.setattr(table, "all_sets", lambda: sets)
    lines = wavecast("data", "fetch", "two", "one", "two").out.splitlines()
    commands = [line.rsplit("/", 1) for line in lines if line.startswith("next: wavecast run music ")]
    assert [name for _, name in commands] == ["two", "one"]


def test_another_place_can_be_named(wavecast: Run, listed: PublicSet, tmp_path: Path) -> None:
    assert wavecast("data", "fetch", "some-set", "--to", tmp_path / "it's here").code == 0
    assert (tmp_path / "it's here" / "some-set" / "Corpus").is_dir()
    there = wavecast("data", "list", "--to", tmp_path / "it's here", "--json")
    assert json.loads(there.out)[0]["folder"] == str(tmp_path / "it's here" / "some-set")


def test_mistakes_are_one_line(wavecast: Run, listed: PublicSet, server: Server, tmp_path: Path) -> None:
    refused(wavecast("data", "fetch", "some-sett"), 2, "'some-sett'", "similar names: some-set")
    refused(wavecast("data", "fetch"), 2, "data fetch --help")
    (tmp_path / "file").touch()
    refused(wavecast("data", "fetch", "some-set", "--to", tmp_path / "file"), 1, "file")
    server.answer("/corpus.tar.gz", status(404))
    failed = wavecast("data", "fetch", "some-set")
    assert (failed.code, failed.out) == (1, "")
    assert [line.split(":")[0] for line in failed.error.splitlines()] == ["wavecast", "wavecast"]


def test_an_unknown_name_among_others_is_found_before_anything_is_fetched(
    wavecast: Run, listed: PublicSet, server: Server
) -> None:
    assert wavecast("data", "fetch", "some-set", "nothing").code == 2
    assert server.requests == []


def test_a_set_that_fails_does_not_stop_the_others(
    wavecast: Run, server: Server, monkeypatch: pytest.MonkeyPatch, own_data_dir: Path
) -> None:
    address = server.answer("/Notes.mat", whole(b"notes"))
    names = ("garbage", "foreign", "marked", "good")
    sets = {name: set_of(b"notes", address, name=name, kind="music") for name in names}
    sets["gone"] = set_of(b"notes", server.answer("/gone.mat", status(404)), name="gone")
    monkeypatch.setattr(table, "all_sets", lambda: sets)
    for name in ("garbage", "foreign", "marked"):
        (own_data_dir / "public" / name).mkdir(parents=True)
    os.mkfifo(own_data_dir / "public" / "marked" / ".wavecast-set.json")
    (own_data_dir / "public" / "garbage" / ".wavecast-set.json").write_text("[" * 100_000)
    (own_data_dir / "public" / "foreign" / "a.wav").touch()
    outcome = wavecast("data", "fetch", "--json", "gone", *names)
    assert outcome.code == 1
    assert [one["name"] for one in json.loads(outcome.out)] == ["good"]
    lines = outcome.error.splitlines()
    for name in ("gone", "garbage", "foreign", "marked"):
        assert [line for line in lines if f"/{name}: " in line or f" {name}: " in line], name
