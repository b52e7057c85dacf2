"""A local HTTP server that answers well, slowly, wrongly or not to the end, as a test asks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Server:
    """Answers by path, and the requests that came: their paths and their ranges.

    The last answer of a path is given again and again.
    """

    port: int
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, path: str, *answers: Answer) -> str:
        """Set the answers of a path, and return its address."""
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def do_GET(self) -> None:
        self.state.requests.append((self.path, self.headers.get("Range")))
        answers = self.state.answers[self.path]
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


def whole(content: bytes, most: int | None = None, **headers: object) -> Answer:
    """The whole content, whatever range was asked for; only ``most`` bytes of it come."""

    def give(handler: Handler) -> None:
        handler.head(200, Content_Length=len(content), **headers)
        handler.wfile.write(content[:most])

    return give


def ranged(content: bytes, tag: str = '"one"', most: int | None = None, stall: float = 0) -> Answer:
    """The range that is asked for, of which ``most`` bytes come before the connection is closed."""

    def give(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        same = handler.headers.get("If-Range") in (None, tag)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        if start and start >= len(content):
            handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        rest = content[start:]
        extra = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        handler.head(206 if start else 200, Content_Length=len(rest), ETag=tag, **extra)
        handler.wfile.write(rest[:most])
        handler.wfile.flush()
        time.sleep(stall)

    return give


def unsized(content: bytes) -> Answer:
    """The content without its length: its end is the end of the connection."""

    def give(handler: Handler) -> None:
        handler.head(200, Connection="close")
        handler.wfile.write(content)

    return give


def drip(content: bytes, pause: float) -> Answer:
    """The content, a byte at a time."""

    def give(handler: Handler) -> None:
        handler.head(200, Content_Length=len(content))
        for at in range(len(content)):
            handler.wfile.write(content[at : at + 1])
            handler.wfile.flush()
            time.sleep(pause)

    return give


def drip_pieces(content: bytes, piece: int, pause: float, tag: str = '"one"') -> Answer:
    """The range that is asked for, in pieces."""

    def give(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        extra = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        handler.head(206 if asked else 200, Content_Length=len(content) - start, ETag=tag, **extra)
        for at in range(start, len(content), piece):
            handler.wfile.write(content[at : at + piece])
            handler.wfile.flush()
            time.sleep(pause)

    return give


def status(code: int, **headers: object) -> Answer:
    """A status without content."""
    return lambda handler: handler.head(code, Content_Length=0, **headers)


def hang_up(handler: Handler) -> None:
    """No answer at all."""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread."""
    kind = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    kind.state = state = Server(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
