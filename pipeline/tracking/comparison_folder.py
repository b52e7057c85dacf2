"""The folder of a comparison: `summary.json` and pictures of the variants of a configuration on a data set.

The summary's paths are relative to the data folder, so that both can be moved together. Earlier releases
wrote absolute paths, which are read as they are.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.common.files import data_dir, read_json, write_json

SUMMARY = "summary.json"


def write_summary(folder: Path, summary: Mapping[str, Any]) -> Path:
    """Write the summary of a comparison, and return its path.

    Args:
        folder: of the comparison, in the data folder.
        summary: the content, with absolute paths under `dataset`, `runs`, `pictures`, `pages` and `sounds`
            and as the `run` of `promotion`.
    """
    home = data_dir()

    def within(path: str) -> str:
        return Path(path).relative_to(home).as_posix() if Path(path).is_relative_to(home) else path

    write_json(folder / SUMMARY, _with_paths(summary, within))
    return folder / SUMMARY


def read_summary(path: Path) -> dict[str, Any]:
    """Return the content of a `summary.json`, with absolute paths.

    Args:
        path: of the file.

    Raises:
        UserError: it is missing or damaged.
    """
    home = path.absolute().parents[2]
    return _with_paths(read_json(path, "summary of a run", dict), lambda found: str(home / found))


def _with_paths(summary: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return a summary in which each path is changed."""
    promotion = dict(summary["promotion"])
    if promotion.get("run"):
        promotion["run"] = change(promotion["run"])
    return {
        **summary,
        "dataset": change(summary["dataset"]),
        "runs": {name: change(path) for name, path in summary["runs"].items()},
        **{kind: [change(path) for path in summary[kind]] for kind in ("pictures", "pages", "sounds")},
        "promotion": promotion,
    }
