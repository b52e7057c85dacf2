"""MkDocs hooks: add the pages that follow from the code, and render formulas as MathML."""

from pathlib import Path
from typing import Any

from command_line import command_line_page
from docstrings import insert_code
from formulas import render_formulas
from layers import layers_of
from public_data import public_data_page
from settings import settings_page

ROOT = Path(__file__).resolve().parents[2]
LAYERS = "<!-- layers -->"


def on_files(files: Any, config: Any) -> Any:
    """Add the pages whose text is derived from the code."""
    from mkdocs.structure.files import File

    pages = {"command-line": command_line_page, "settings": settings_page, "public-data": public_data_page}
    for name, page in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers that stand for text of the code."""
    if LAYERS in markdown:
        markdown = markdown.replace(LAYERS, layers_of(ROOT / "pyproject.toml"))
    return insert_code(markdown, ROOT)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Replace each TeX formula of a page by MathML."""
    return render_formulas(html, page.file.src_uri)
