"""An S3 server in this process that fails some requests."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

BUCKET = "corpora"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Failing:
    """A WSGI application that fails every ``every``-th GET and HEAD: error 500, or half of the body.

    Paths with ``denied`` in them are forbidden, and connections for those with ``resets`` are closed.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.every = 0
        self.requests = 0
        self.failed = 0
        self.gets: list[str] = []
        self.denied = ""
        self.resets = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self.application(environ, start_response)
        path = environ["PATH_INFO"]
        if self.denied and self.denied in path:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        if self.resets and self.resets in path:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        self.requests += 1
        if environ["REQUEST_METHOD"] == "GET":
            self.gets.append(environ["PATH_INFO"])
        if not self.every or self.requests % self.every:
            return self.application(environ, start_response)
        self.failed += 1
        if self.failed % 2:
            start_response("500 Internal Server Error", [("Content-Length", "0")])
            return []
        body = b"".join(self.application(environ, start_response))
        return [body[: len(body) // 2]]


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """Start a server with one bucket and point the environment at it."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request otherwise
    application = Failing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    forget_connections()
    try:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield application
    finally:
        forget_connections()
        server.shutdown()
        thread.join()


def forget_connections() -> None:
    """Drop fsspec's open file systems, which keep the environment that they were made in."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def upload(folder: Path, prefix: str) -> str:
    """Copy a local folder to the server and return its address."""
    client = boto3.client("s3")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder).as_posix()}")
    return f"s3://{BUCKET}/{prefix}"
