"""The files that the promotion keeps for each registered model, below the data folder.

promotion/NAME/held-out-*.json   recordings that decide, frozen when the first champion appears
promotion/NAME/history.jsonl     each decision and each change by hand: who, when, why
promotion/scores/HASH.json       code lengths of single recordings under one model
"""

from pathlib import Path
from urllib.parse import quote

from pipeline.common.files import data_dir
from pipeline.common.hashing import digest_json
from pipeline.tracking.store import redacted_uri, store_uri


def folder_of(name: str, uri: str | None = None) -> Path:
    """Return the folder of one registered model; another store than the local one has folders of its own.

    Args:
        name: of the registered model.
        uri: the store as configured; None the default one.
    """
    store = store_uri(uri)
    local = store == f"sqlite:///{(data_dir() / 'mlflow' / 'mlflow.db').as_posix()}"
    shown = quote(name, safe=" ").replace(".", "%2E") if name.startswith(".") else quote(name, safe=" ")
    suffix = "" if local else f"@{digest_json(redacted_uri(store))[:8]}"
    return data_dir() / "promotion" / f"{shown}{suffix}"


def scores_folder() -> Path:
    """Return the folder of the kept code lengths."""
    return data_dir() / "promotion" / "scores"
