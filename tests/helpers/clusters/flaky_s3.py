"""An S3 server of this machine that fails some of its requests."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def flaky_s3(monkeypatch: pytest.MonkeyPatch, failing: float = 0.1, seed: int = 0) -> Iterator[list[int]]:
    """Run moto's server with a bucket `bucket`, and point the libraries of S3 to it.

    Args:
        monkeypatch: sets address and credentials in the environment.
        failing: fraction of requests that are answered by an internal error, after the bucket is there.
        seed: of the choice of requests.

    Yields:
        The status of each answer that was made to fail.
    """
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    served = DomainDispatcherApplication(create_backend_app)
    chance, failures, ready = random.Random(seed), list[int](), threading.Event()

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if ready.is_set() and chance.random() < failing:
            failures.append(500)
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]
        return served(environ, start)

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        import boto3

        boto3.client("s3").create_bucket(Bucket="bucket")
        ready.set()
        yield failures
    finally:
        server.shutdown()
        thread.join()
