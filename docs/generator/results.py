"""Tables of the pages on results, generated from the measurements in `docs/results/*.json`.

`python docs/generator/results.py` writes each table anew between the comments `<!-- table: FILE/NAME -->` and
`<!-- end of table -->` of the pages and of the README, so that they can be read without a build.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.benchmarks.code_lengths import markdown
from pipeline.benchmarks.study.tables import MUSIC, SPEECH, sentences, set_table, size_text
from pipeline.benchmarks.study.verdicts import TITLES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
PAGES = (*sorted(RESULTS.glob("*.md")), ROOT / "README.md")
TABLE = re.compile(r"(?<=<!-- table: )([\w-]+)/([\w-]+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)
FRAMEWORKS_FORMS = {
    "steps_per_second": ",.0f",
    "times_slower": ".1f",
    "updates": ",.0f",
    "nats_per_step": ".2f",
}
README_ROWS = (
    ("tanh, 400 units", "units", "speech", "tanh, 400 units"),
    ("LSTM, 195 units", "units", "speech", "LSTM, 195 units"),
    ("GRU, 227 units", "units", "speech", "GRU, 227 units"),
    ("GRU, 227 units, 8 autoregressive components", "covariance", "likelihood", "autoregressive, 8"),
    ("the same, nine passes", "covariance", "likelihood", "autoregressive, 8, nine passes"),
    (
        "GRU, 128 units, on adaptive predictions, twelve passes",
        "adaptive-head",
        "model",
        "network on adaptive predictions, twelve passes",
    ),
    ("adaptive predictor, without training", "units", "speech", "adaptive predictor"),
    ("FLAC, best setting", "units", "speech", "FLAC, best setting"),
    ("WavPack, -hhx6", "units", "speech", "WavPack, -hhx6"),
    ("Monkey's Audio, -c4000", "units", "speech", "Monkey's Audio, -c4000"),
)
"""Of the README: label, file, table, and label of the row there."""


def filled(text: str) -> str:
    """Return the text of a page with its tables written anew.

    Raises:
        KeyError: a table has no measurement.
    """
    return TABLE.sub(
        lambda found: f"{found[1]}/{found[2]}{found[3]}\n{table_of(found[1], found[2])}\n\n", text
    )


def table_of(file: str, name: str) -> str:
    """Return a table, or a list of sentences, in Markdown.

    Args:
        file: name of the measurement, without suffix; `readme` for the table of the README.
        name: of the table in it.
    """
    if file == "readme":
        return "\n".join(readme_table())
    found = measured(file)
    if name in found.get("tables", {}):
        return "\n".join(plain_table(found["tables"][name]))
    if name in found.get("axes", {}):
        return "\n".join(growth_table(found["axes"][name], name))
    if "methods" in found.get(name, {}):
        return "\n".join(frameworks_table(found[name]["methods"]))
    if name == "codes":
        return markdown(found)
    if name.endswith("-sentences"):
        sets = found[name.removesuffix("-sentences")]
        sizes = [f"{TITLES.get(each, each)}: {size_text(found['data'][each])}." for each in sets]
        return "\n".join(f"- {sentence}" for sentence in [*sizes, *sentences(sets)])
    return "\n".join(set_table(found[name], SPEECH if name == "speech" else MUSIC))


def measured(file: str) -> dict[str, Any]:
    """Return the content of a measurement."""
    found: dict[str, Any] = json.loads((RESULTS / f"{file}.json").read_text())
    return found


def plain_table(table: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of columns and rows; numbers have the decimals that are stated."""
    yield f"| {' | '.join(table['columns'])} |"
    yield "|---|" + "---:|" * (len(table["columns"]) - 1)
    for row in table["rows"]:
        cells = [text_of(cell, decimals) for cell, decimals in zip(row, table["decimals"], strict=True)]
        yield f"| {' | '.join(cells)} |"


def growth_table(rows: list[dict[str, float]], axis: str) -> Iterator[str]:
    """Yield the lines of a table of the measurements along one axis of `wavecast bench growth`."""
    yield f"| {axis.replace('_', ' ')} | steps per second | limit of products | private memory, MiB |"
    yield "|---:|---:|---:|---:|"
    for row in rows:
        figures = (f"{row[key]:,.0f}" for key in ("steps_per_second", "product_limit", "private_mib"))
        yield f"| {row[axis]:,g} | {' | '.join(figures)} |"


def frameworks_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of the trainings of `wavecast bench frameworks`."""
    yield "| method | steps per second | times slower | updates | nats per step |"
    yield "|---|---:|---:|---:|---:|"
    for row in rows:
        figures = (f"{row[key]:{form}}" for key, form in FRAMEWORKS_FORMS.items())
        yield f"| {row['method']} | {' | '.join(figures)} |"


def text_of(cell: str | float | None, decimals: int) -> str:
    """Return a cell as text; None is an empty one."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else f"{cell:,.{decimals}f}"


def readme_table() -> Iterator[str]:
    """Yield the lines of the README's table, whose figures are rows of other tables."""
    yield "| model | nats per step | bits per sample |"
    yield "|---|---:|---:|"
    for label, file, name, row in README_ROWS:
        table = measured(file)["tables"][name]
        (cells,) = (
            dict(zip(table["columns"], each, strict=True)) for each in table["rows"] if each[0] == row
        )
        figures = (text_of(cells[column], 2) for column in ("nats per step", "bits per sample"))
        yield f"| {label} | {' | '.join(figures)} |"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text()))
