"""Text of the code, inserted into pages.

`<!-- docstring: package.module -->` stands for the docstring of a module, and `<!-- source: path/file.py -->`
for a whole file.
"""

import ast
import re
from pathlib import Path

MARKER = re.compile(r"^<!-- docstring: ([\w.]+) -->$", re.MULTILINE)
SOURCE = re.compile(r"^<!-- source: ([\w./]+) -->$", re.MULTILINE)
ALIGNED = re.compile(r"^\s|\S {2,}\S", re.MULTILINE)
"""Columns distinguish a table or a listing from prose."""


def insert_code(markdown: str, root: Path) -> str:
    """Return ``markdown`` with each marker replaced by the docstring or the file that it names.

    Raises:
        FileNotFoundError: no such module or file.
    """
    markdown = SOURCE.sub(lambda found: f"```python\n{(root / found[1]).read_text()}```", markdown)
    return MARKER.sub(lambda found: as_markdown(module_docstring(found[1], root)), markdown)


def as_markdown(docstring: str) -> str:
    """Return a docstring with its listings as text blocks."""
    parts = docstring.split("\n\n")
    return "\n\n".join(f"```text\n{part}\n```" if ALIGNED.search(part) else part for part in parts)


def module_docstring(module: str, root: Path) -> str:
    """Return the docstring of a module, read from its source without importing it."""
    path = root / (module.replace(".", "/") + ".py")
    return ast.get_docstring(ast.parse(path.read_text())) or ""
