"""Questions to local servers over HTTP, with short time limits."""

import json
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

SECONDS = 5.0
MOST_BYTES = 16 << 20

# A proxy of the environment does not reach the loopback address.
_open = build_opener(ProxyHandler({})).open


def answers(address: str) -> bool:
    """Return whether a server answers at ``address`` with success."""
    try:
        with _open(address, timeout=SECONDS) as answer:
            return bool(answer.status < 300)
    except (OSError, ValueError):
        return False


def ask(address: str, body: dict[str, Any] | None = None) -> Any:
    """Return the JSON that ``address`` answers: with GET, or with POST where there is a ``body``.

    Raises:
        OSError: no answer, or one that is an error.
        ValueError: the answer is not JSON or is too large.
    """
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data, {"Content-Type": "application/json"})
    try:
        with _open(request, timeout=SECONDS) as answer:
            return json.loads(answer.read(MOST_BYTES))
    except URLError as problem:
        raise OSError(str(problem.reason)) from None
