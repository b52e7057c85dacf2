"""Formulas of a page as MathML, which browsers display without a script."""

import html as entities
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def render_formulas(html: str, page: str) -> str:
    """Return the page's HTML with each TeX formula replaced by MathML.

    Args:
        html: rendered page in which `pymdownx.arithmatex` (generic) marked the formulas.
        page: name of the page, for the error message.

    Raises:
        ValueError: a formula is not TeX that can be converted.
    """

    def render(found: re.Match[str]) -> str:
        tag, bracket, escaped = found.groups()
        tex = entities.unescape(escaped).strip()
        try:
            mathml = convert(tex, display="block" if bracket == "[" else "inline")
        except Exception as problem:
            raise ValueError(f"{page}: formula {tex!r}: {problem}") from problem
        text = re.sub(r"<[^>]*>|&#\w+;", "", mathml)
        if "\\" in text or "&" in text:  # the converter passes on what it does not know
            raise ValueError(f"{page}: formula {tex!r}: holds a command that is not known")
        return f'<{tag} class="formula">{mathml}</{tag}>'

    return FORMULA.sub(render, html)
