"""A report page, taken apart."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import soundfile


class Page(HTMLParser):
    """The elements of a page, in order, each with its attributes; and the text of `code` elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.codes: list[str] = []
        self._inside_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "code":
            self._inside_code = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside_code &= tag != "code"

    def handle_data(self, data: str) -> None:
        if self._inside_code:
            self.codes[-1] += data

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of these kinds."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def decoded(address: str | None) -> bytes:
    """The bytes inside a data: address."""
    return base64.b64decode(str(address).partition("base64,")[2])


def sounds_of(page: str) -> list[tuple[np.ndarray, int]]:
    """Samples and rate of every player of a page."""
    return [soundfile.read(io.BytesIO(decoded(each["src"]))) for each in Page(page).named("audio")]
