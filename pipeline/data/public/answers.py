"""Answers of HTTP servers: redirects within bounds, and failures sorted into lasting and passing ones."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

PASSING = frozenset((408, 425, 429, *range(500, 600)))
"""Statuses after which the same request may succeed."""
MOST_REDIRECTS = 5
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """Time limits of a download.

    Attributes:
        connect_seconds: for a connection.
        stall_seconds: without a byte.
        tries: of an address without a new byte; a connection that cannot be made has two.
        first_wait_seconds: before the second try; it doubles with each.
        slowest_bytes: in a second, on average over ``slow_seconds``; below it, an answer is stalled.
        slow_seconds: the time over which the rate is measured.
    """

    connect_seconds: float = 10
    stall_seconds: float = 30
    tries: int = 4
    first_wait_seconds: float = 1
    slowest_bytes: float = 1000
    slow_seconds: float = 60


class Unavailable(Exception):
    """An address does not deliver the file. Another may."""


class Interrupted(Exception):
    """An answer was cut off, stalled or postponed. The same address may continue it.

    Attributes:
        wait_seconds: as the server asks; None where it does not.
        connected: whether there was an answer at all.
    """

    def __init__(self, message: str, wait_seconds: float | None = None, connected: bool = True) -> None:
        super().__init__(message)
        self.wait_seconds, self.connected = wait_seconds, connected


def open_answer(address: str, headers: dict[str, str], patience: Patience) -> requests.Response:
    """Return the answer to a request: its status is 200, 206 or 416, its body is not read yet.

    Raises:
        Unavailable: a lasting status, a redirect to a scheme that is not allowed, or too many redirects.
        Interrupted: a passing status, or no connection.
    """
    for _ in range(1 + MOST_REDIRECTS):
        answer = _request(address, headers, patience)
        if not answer.is_redirect:
            return _checked(answer)
        answer.close()
        address = _redirected(address, answer.headers["location"])
    raise Unavailable(f"more than {MOST_REDIRECTS} redirects")


def _request(address: str, headers: dict[str, str], patience: Patience) -> requests.Response:
    # By default, requests asks for compression: ranges would then be those of the compressed bytes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "wavecast", **headers}
    limits = (patience.connect_seconds, patience.stall_seconds)
    try:
        return requests.get(address, headers=headers, timeout=limits, stream=True, allow_redirects=False)
    except requests.exceptions.SSLError:
        raise Unavailable("the certificate of the server is not valid") from None
    except requests.ReadTimeout:
        raise Interrupted(f"no answer within {patience.stall_seconds:g} s") from None
    except requests.Timeout:
        raise Interrupted(f"no connection within {patience.connect_seconds:g} s", connected=False) from None
    except requests.ConnectionError as problem:
        cut_off = "without response" in str(problem) or "reset" in str(problem)
        reason = "the connection was closed without an answer" if cut_off else "no connection"
        raise Interrupted(reason, connected=cut_off) from None
    except (requests.RequestException, UnicodeError) as problem:
        raise Unavailable(f"not a usable address ({type(problem).__name__})") from None


def _checked(answer: requests.Response) -> requests.Response:
    """Return an answer that is usable; close any other and raise what its status means."""
    if answer.status_code in (200, 206, 416):
        return answer
    answer.close()
    status = f"the server answers {answer.status_code} {answer.reason or ''}".rstrip()
    if answer.status_code in PASSING:
        asked = answer.headers.get("retry-after", "")
        raise Interrupted(status, min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdecimal() else None)
    raise Unavailable(status)


def _redirected(address: str, location: str) -> str:
    """Return the address of a redirect; https may not become http, and no other scheme is followed."""
    target = urljoin(address, location)
    before, after = urlsplit(address).scheme, urlsplit(target).scheme
    if after not in ("http", "https") or (before == "https" and after == "http"):
        raise Unavailable(f"a redirect from {before} to {after or 'nowhere'} is not followed")
    return target
