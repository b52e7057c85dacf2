"""Docstrings of modules, inserted where a page holds `<!-- docstring: package.module -->`."""

import ast
import re
from pathlib import Path

MARKER = re.compile(r"^<!-- docstring: ([\w.]+) -->$", re.MULTILINE)


def insert_docstrings(markdown: str, root: Path) -> str:
    """Return ``markdown`` with each marker replaced by the module's docstring as a text block.

    Raises:
        FileNotFoundError: no such module.
    """
    return MARKER.sub(lambda found: f"```text\n{module_docstring(found[1], root)}\n```", markdown)


def module_docstring(module: str, root: Path) -> str:
    """Return the docstring of a module, read from its source without importing it."""
    path = root / (module.replace(".", "/") + ".py")
    return ast.get_docstring(ast.parse(path.read_text())) or ""
