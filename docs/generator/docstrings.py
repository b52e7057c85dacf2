"""Docstrings of modules, inserted where a page holds `<!-- docstring: package.module -->`."""

import ast
import re
from pathlib import Path

MARKER = re.compile(r"^<!-- docstring: ([\w.]+) -->$", re.MULTILINE)
ALIGNED = re.compile(r"^\s|\S {2,}\S", re.MULTILINE)
"""What tells a table or a listing from prose: columns."""


def insert_docstrings(markdown: str, root: Path) -> str:
    """Return ``markdown`` with each marker replaced by the module's docstring.

    Raises:
        FileNotFoundError: no such module.
    """
    return MARKER.sub(lambda found: as_markdown(module_docstring(found[1], root)), markdown)


def as_markdown(docstring: str) -> str:
    """Return a docstring with its listings as text blocks."""
    parts = docstring.split("\n\n")
    return "\n\n".join(f"```text\n{part}\n```" if ALIGNED.search(part) else part for part in parts)


def module_docstring(module: str, root: Path) -> str:
    """Return the docstring of a module, read from its source without importing it."""
    path = root / (module.replace(".", "/") + ".py")
    return ast.get_docstring(ast.parse(path.read_text())) or ""
