"""Limits on the answers of a tracking server, for MLflow's client, which bounds neither time nor size.

MLflow's timeout counts from one received byte to the next, and its client reads an answer whole into memory.
Here each answer has a total time and a total size. Import this module only together with MLflow.
"""

import errno
import io
import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from socket import socket
from typing import Any

from mlflow.utils import request_utils
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pipeline.tracking.store import seconds_left

UPLOAD_BYTES_PER_S = 50_000
"""Slowest upload, after the time that an answer may take."""


@dataclass(frozen=True)
class Limits:
    """The most that one answer may take."""

    seconds: float
    size: int


ANSWER = Limits(20.0, 1 << 25)
"""Limits of an answer in JSON, which MLflow reads into memory."""
DOWNLOAD = Limits(600.0, 1 << 31)
"""Limits of a file, which MLflow writes to the disk in parts."""
_limits: ContextVar[Limits] = ContextVar("limits", default=ANSWER)
_ends: ContextVar[float] = ContextVar("ends", default=math.inf)
"""End of a request with its repetitions, which `urllib3` makes after an error."""


def bound_answers() -> None:
    """Let MLflow's client make its connections with limits from now on, in the whole process."""
    if request_utils.TCPKeepAliveHTTPAdapter is not BoundedAdapter:
        request_utils.TCPKeepAliveHTTPAdapter = BoundedAdapter  # type: ignore[misc]
        request_utils._cached_get_request_session.cache_clear()


class BoundedAdapter(request_utils.TCPKeepAliveHTTPAdapter):  # type: ignore[misc]
    """MLflow's adapter of requests, on connections with limits."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of connections; see `requests.adapters.HTTPAdapter`."""
        super().init_poolmanager(*args, **options)  # type: ignore[no-untyped-call]
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections through a proxy; see `requests.adapters.HTTPAdapter`."""
        manager = super().proxy_manager_for(proxy, **options)  # type: ignore[no-untyped-call]
        manager.pool_classes_by_scheme = POOLS
        return manager

    def send(self, request: PreparedRequest, stream: bool = False, *rest: Any, **options: Any) -> Response:
        """Return the answer to a request; its content, when it is read, is within the limits.

        Raises:
            OSError: the answer is compressed, so that its size is not known.
        """
        request.headers["Accept-Encoding"] = "identity"
        limits = DOWNLOAD if stream else ANSWER
        upload_s = int(request.headers.get("Content-Length", "0")) / UPLOAD_BYTES_PER_S
        token, end = _limits.set(limits), _ends.set(time.monotonic() + limits.seconds + upload_s)
        try:
            response: Response = HTTPAdapter.send(self, request, stream, *rest, **options)
        finally:
            _limits.reset(token)
            _ends.reset(end)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            response.close()
            raise OSError(errno.EPROTO, "its answer is compressed, which was not asked for")
        return response


class _BoundedStream(io.RawIOBase):
    """The bytes of one answer, up to the limits."""

    def __init__(self, stream: io.RawIOBase, connection: socket) -> None:
        self._stream, self._connection, self._limits = stream, connection, _limits.get()
        self._pause_s = connection.gettimeout()
        self._ends = min(_ends.get(), time.monotonic() + seconds_left(self._limits.seconds))
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "its answer takes too long")
        self._connection.settimeout(left_s if self._pause_s is None else min(left_s, self._pause_s))
        count = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self._received += count or 0
        if self._received > self._limits.size:
            raise OSError(errno.EFBIG, f"its answer is longer than {self._limits.size:,} bytes")
        return int(count)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # The class reads status, headers and content from this attribute.
        self.fp: io.BufferedReader = io.BufferedReader(_BoundedStream(self.fp.detach(), sock))


class _BoundedSending:
    """A connection on which a request ends too: a server may read an upload as slowly as it likes."""

    _ends = math.inf

    def putrequest(self, *args: Any, **options: Any) -> None:
        self._ends = time.monotonic() + seconds_left(ANSWER.seconds)
        super().putrequest(*args, **options)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if time.monotonic() > self._ends:
            raise TimeoutError(errno.ETIMEDOUT, "it receives too slowly")
        super().send(data)  # type: ignore[misc]
        self._ends += len(data) / UPLOAD_BYTES_PER_S


class _BoundedHTTP(_BoundedSending, HTTPConnection):
    response_class = _BoundedResponse  # type: ignore[assignment]


class _BoundedHTTPS(_BoundedSending, HTTPSConnection):
    response_class = _BoundedResponse  # type: ignore[assignment]


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _BoundedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedHTTPS


POOLS = {"http": _HTTPPool, "https": _HTTPSPool}
