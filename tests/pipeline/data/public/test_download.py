"""A download ends with the right file or with a sentence, whatever the server does."""

import os
from pathlib import Path

import pytest

from pipeline.data.public.download import download, part_of
from pipeline.errors import UserError
from tests.helpers.broken_server import (
    Answer,
    Server,
    drip,
    hang_up,
    ranged,
    status,
    unsized,
    whole,
)
from tests.pipeline.data.public.conftest import HASTY, HURRIED, set_of

CONTENT = os.urandom(300_000)
OTHER = os.urandom(300_000)
UNKNOWN = {"sha256": None, "bytes": None, "at_most_bytes": 1_000_000}


def test_a_cut_download_continues_where_it_was_cut(server: Server, tmp_path: Path, said: list[str]) -> None:
    address = server.answer("/a.mat", ranged(CONTENT, most=100_000))
    file = download(set_of(CONTENT, address), tmp_path, HURRIED, said.append)
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert said == []
    assert list(tmp_path.iterdir()) == [file]


PASSING: dict[str, list[Answer]] = {
    "answers 503": [status(503), status(503), whole(CONTENT)],
    "asks to wait": [status(429, Retry_After="0"), whole(CONTENT)],
    "hangs up": [hang_up, whole(CONTENT)],
    "stalls": [ranged(CONTENT, most=50_000, stall=0.4), ranged(CONTENT)],
    "ignores ranges": [ranged(CONTENT, most=50_000), whole(CONTENT)],
    "has changed the file": [ranged(OTHER, most=50_000), ranged(CONTENT, tag='"two"')],
    "redirects": [status(302, Location="/a.mat"), whole(CONTENT)],
}


@pytest.mark.parametrize("known", [True, False], ids=["known hash", "unknown hash"])
@pytest.mark.parametrize("server_that", PASSING)
def test_passing_failures_of_a_server_are_endured(
    server: Server, tmp_path: Path, said: list[str], server_that: str, known: bool
) -> None:
    address = server.answer("/a.mat", *PASSING[server_that])
    public = set_of(CONTENT, address, **({} if known else UNKNOWN))
    patience = HASTY if server_that == "stalls" else HURRIED
    assert download(public, tmp_path, patience, said.append).read_bytes() == CONTENT
    assert said == []


def test_a_cut_answer_without_a_length_is_found_by_the_stated_size(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    address = server.answer("/a.mat", unsized(CONTENT[:70_000]), unsized(CONTENT))
    assert download(set_of(CONTENT, address), tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    assert said == []


LASTING: dict[str, tuple[Answer, str]] = {
    "the answer 404": (status(404), "404"),
    "the answer 503, always": (status(503), "503"),
    "no answer": (hang_up, "closed without an answer"),
    "another length": (whole(CONTENT + b"1"), "has 300,001 bytes, not 300,000"),
    "a longer answer": (unsized(CONTENT + bytes(1000)), "longer than 300,000"),
    "an answer that is always cut": (whole(CONTENT, most=40_000), "cut"),
    "other content": (whole(OTHER), "another SHA-256 than stated, and was deleted"),
    "a web page": (whole(CONTENT, Content_Type="text/html; charset=utf-8"), "web page"),
    "a redirect to a file": (status(302, Location="file:///etc/passwd"), "redirect from http to file"),
    "a redirect in a circle": (status(301, Location="/a.mat"), "more than 5 redirects"),
    "a byte now and then": (drip(CONTENT, 0.02), "slower than"),
    "other bytes than asked for": (status(206, Content_Range="bytes 5-9/300000"), "other bytes"),
}


@pytest.mark.parametrize("answer", LASTING)
def test_after_a_lasting_failure_the_next_address_is_tried(
    server: Server, tmp_path: Path, said: list[str], answer: str
) -> None:
    behaviour, reason = LASTING[answer]
    first, second = server.answer("/a.mat", behaviour), server.answer("/mirror/a.mat", ranged(CONTENT))
    file = download(set_of(CONTENT, first, second), tmp_path, HURRIED, said.append)
    assert file.read_bytes() == CONTENT
    assert len(said) == 1
    assert said[0].startswith(f"{first}: ")
    assert reason in said[0]


def test_another_address_continues_what_the_first_began(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    first = server.answer("/a.mat", ranged(CONTENT, most=100_000), status(404))
    second = server.answer("/mirror/a.mat", ranged(CONTENT, tag='"other"'))
    assert download(set_of(CONTENT, first, second), tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    assert server.requests[-1] == ("/mirror/a.mat", "bytes=100000-")


def test_a_continuation_with_a_wrong_hash_is_downloaded_once_more_from_its_start(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    public = set_of(CONTENT, server.answer("/a.mat", ranged(CONTENT)))
    part_of(public, tmp_path).path.write_bytes(OTHER[:1000])
    assert download(public, tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]
    assert "was deleted" in said[0]


@pytest.mark.parametrize("left", [0, 1, 300_000, 300_001])
def test_what_a_killed_process_left_is_continued(
    server: Server, tmp_path: Path, said: list[str], left: int
) -> None:
    public = set_of(CONTENT, server.answer("/a.mat", ranged(CONTENT)))
    part_of(public, tmp_path).path.write_bytes((CONTENT + b"1")[:left])
    assert download(public, tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    expected = {0: [None], 1: ["bytes=1-"], 300_000: [], 300_001: [None]}
    assert server.ranges == expected[left]


def test_a_mirror_with_a_wrong_answer_does_not_cost_what_another_gave(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    first = server.answer("/a.mat", ranged(CONTENT, most=100_000), status(404))
    wrong = server.answer("/b/a.mat", status(206, Content_Range="bytes 5-9/300000"))
    third = server.answer("/c/a.mat", ranged(CONTENT, tag='"three"'))
    public = set_of(CONTENT, first, wrong, third)
    assert download(public, tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    assert server.requests[-1] == ("/c/a.mat", "bytes=100000-")


def test_without_a_hash_only_the_same_version_is_continued(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    public = set_of(CONTENT, server.answer("/a.mat", ranged(CONTENT)), **UNKNOWN)
    part_of(public, tmp_path).path.write_bytes(OTHER[:1000])
    assert download(public, tmp_path, HURRIED, said.append).read_bytes() == CONTENT
    assert server.ranges == [None]


def test_the_error_names_the_last_failure_and_keeps_what_can_be_continued(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    public = set_of(CONTENT, server.answer("/a.mat", ranged(CONTENT, most=100_000), status(503)))
    with pytest.raises(UserError, match=r"some-set: could not be downloaded.*503") as raised:
        download(public, tmp_path, HURRIED, said.append)
    assert raised.value.exit_code == 1
    assert part_of(public, tmp_path).size == 100_000


def test_no_connection_is_given_up_soon(tmp_path: Path, said: list[str], away: str) -> None:
    public = set_of(CONTENT, f"{away}/a.mat")
    with pytest.raises(UserError, match="no connection"):
        download(public, tmp_path, HURRIED, said.append)
