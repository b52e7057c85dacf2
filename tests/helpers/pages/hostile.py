"""Names that try to be more than text on a page, and what a page is made of without its text."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.helpers.pages.report import Page

HOSTILE = (
    '"><img src=x onerror=alert(1)><script>alert(2)</script>',
    "</code></pre></table><iframe src=javascript:alert(1)>",
    "[x](javascript:alert(1)) ![y](http://elsewhere.example/z.png)",
    "<https://elsewhere.example> https://elsewhere.example www.elsewhere.example me@elsewhere.example",
    "[x]: http://elsewhere.example \\",
    "a | b \\| c\n| --- |\n# d\n\n- e\n    f",
    "```\n~~~ `g` ``h`` **i** __j__ ~~k~~",
    "&lt;b&gt; &#60;i&#62; {{ l }} {% m %}",
    "\x1b[31m\x07\x00\x85\u2028\u202egnp.wav\u2066\u200f",
    "### Decision\n\n### Model",
)
UNSHOWN = frozenset("\x1b\x07\x00\x85\u2028\u202e\u2066\u200f")
"""Characters of the names that would change what stands beside them."""


def markdown_parts(text: str) -> list[tuple[str, str, str]]:
    """The elements that a text in Markdown, with tables, becomes: kind, tag and address of each.

    Text, and the code of command lines, are left out. Addresses in the text become links in some renderers:
    each is a part of its own.
    """
    tokens = list(_flat(MarkdownIt("commonmark").enable("table").parse(text)))
    parts = [
        (token.type, token.tag, str(token.attrs.get("href", token.attrs.get("src", ""))))
        for token in tokens
        if token.type not in ("text", "text_special", "inline", "softbreak")
    ]
    # Renderers that make links of bare addresses look at the source, where these must not be.
    source = re.sub(r"```sh\n.*?\n```|\]\([^)]*\)", "", text, flags=re.DOTALL)
    return parts + [("bare", "", found) for found in re.findall(r"://elsewhere|www\.|\w@elsewhere", source)]


def markdown_text(text: str) -> str:
    """The text of the rendered page."""
    return "".join(
        token.content
        for token in _flat(MarkdownIt("commonmark").enable("table").parse(text))
        if token.content
    )


def html_parts(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page, each with the names of its attributes."""
    return [(tag, tuple(attributes)) for tag, attributes in Page(page).elements]


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from _flat(token.children or [])
        else:
            yield token
