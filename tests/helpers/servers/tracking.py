"""Tracking servers that misbehave: every request, whatever its path and method, gets the same bad answer."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.broken_server import Answer, Handler, Server, drip, hang_up, serving, status, whole


class _Everywhere(dict[str, list[Answer]]):
    """One answer at every path."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, path: str) -> list[Answer]:
        return [self._answer]


def drip_status(handler: Handler) -> None:
    """Send not even the first line to its end."""
    while True:
        handler.wfile.write(b"H")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: Handler) -> None:
    """Send JSON without an end, as fast as it is read."""
    handler.head(200, Connection="close", Content_Type="application/json")
    while True:
        handler.wfile.write(b'{"a":' * 100_000)


def endless_chunks(handler: Handler) -> None:
    handler.head(200, Transfer_Encoding="chunked")
    while True:
        handler.wfile.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X: y\r\n" * 10_000)


def json_answer(text: str) -> Answer:
    return whole(text.encode(), Content_Type="application/json")


def never(handler: Handler) -> None:
    """Read the request, and answer nothing."""
    time.sleep(3_600)


MISBEHAVIOURS: dict[str, Answer] = {
    "never answers": never,
    "sends its status slowly": drip_status,
    "sends its answer slowly": drip(b" " * 100_000, 0.05),
    "answers without an end": endless,
    "answers in chunks without an end": endless_chunks,
    "sends headers without an end": endless_headers,
    "hangs up": hang_up,
    "sends garbage": whole(bytes(range(256)) * 1_000),
    "sends control characters": whole(b"\x1b[31m\x1b]0;title\x07\r" * 100),
    "sends a bomb": whole(gzip.compress(bytes(1 << 24)), Content_Encoding="gzip"),
    "redirects to itself": status(302, Location="/"),
    "names a time far away": status(429, Retry_After=100_000),
    "fails": status(500),
    "is locked": status(401),
    "answers a list": json_answer("[1]"),
    "answers another type": json_answer('{"experiment": {"experiment_id": {"a": 1}}, "run": 1, "runs": 1}'),
    "answers nothing": json_answer("{}"),
    "nests deeply": json_answer("[" * 100_000),
}
"""Answers of servers that misbehave, by what they do."""


@contextmanager
def misbehaving(answer: Answer) -> Iterator[tuple[str, Server]]:
    """Run a server that gives every request this answer; yield its address, and its record."""
    with serving() as server:
        server.answers = _Everywhere(answer)
        yield f"http://127.0.0.1:{server.port}", server
