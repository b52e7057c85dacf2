"""The layers of the code as a diagram, read from the import contract in pyproject.toml."""

import ast
import tomllib
from pathlib import Path


def layers_of(pyproject: Path) -> str:
    """Return the layers as HTML: one row a layer, one box a package, with the summary of its docstring."""
    contracts = tomllib.loads(pyproject.read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rows = []
    for layer in layers:
        names = [name.strip() for name in layer.split("|")]
        boxes = "".join(
            f"<div><strong>{name}</strong><span>{summary(pyproject.parent, name)}</span></div>"
            for name in names
        )
        rows.append(f'<div class="layer">{boxes}</div>')
    return f'<div class="layers">{"".join(rows)}</div>'


def summary(root: Path, name: str) -> str:
    """Return the first line of the docstring of a package or module."""
    path = root / name.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").replace("`", "")
