"""The data set of a run as MLflow's inputs: one for each split, with fingerprint, sizes and source."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from pipeline.common.files import read_json
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, printable
from pipeline.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONTEXTS = {"train": "training", "valid": "validation", "test": "testing"}
"""MLflow's word for the use of each split."""
LONGEST_NAME = 100


class _Recording(TypedDict):
    split: str
    group: str
    length: int


class _Content(TypedDict, total=False):
    recordings: list[_Recording]


def send_datasets(client: "MlflowClient", run_id: str, run: RunFolder) -> None:
    """Send the splits of a run's data set as inputs of its MLflow run.

    A data set that was deleted is left out. MLflow keeps an input that it has already.

    Args:
        client: client of the store.
        run_id: MLflow's id of the run.
        run: the run.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    try:
        content = read_json(run.dataset, "prepared data set", _Content)
    except UserError:
        return
    config = run.config()
    names = source_names(config.corpus.inputs)
    source = json.dumps({"recordings": names, "input": config.input.kind})
    inputs = [
        DatasetInput(
            Dataset(
                name=f"{', '.join(names)[:LONGEST_NAME] or 'recordings'}: {split}",
                digest=run.description()["fingerprint"],
                source_type="remote" if any("://" in name for name in names) else "local",
                source=source,
                profile=json.dumps(profile),
            ),
            [InputTag("mlflow.data.context", CONTEXTS[split])],
        )
        for split in CONTEXTS
        if (profile := _profile(content.get("recordings", []), split, config))
    ]
    client.log_inputs(run_id, inputs)


def source_names(inputs: Iterable[object]) -> list[str]:
    """Return the remote addresses among the inputs of a corpus, and the last part of local paths.

    >>> source_names(["/home/me/speech/", "s3://bucket/more"])
    ['speech', 's3://bucket/more']
    """
    places = [str(place) for place in inputs]
    return [printable(place if "://" in place else place.rstrip("/").rpartition("/")[2]) for place in places]


def _profile(recordings: list[dict[str, Any]], split: str, config: RunConfig) -> dict[str, Any]:
    """Return the sizes of a split; empty for an empty one."""
    chosen = [each for each in recordings if each["split"] == split]
    if not chosen:
        return {}
    rows = sum(each["length"] for each in chosen)
    minutes = {"minutes": round(rows / config.input.row_rate_hz / 60, 2)}
    return {
        **(minutes if config.input.KEEPS_TIME else {}),
        "recordings": len(chosen),
        "speakers or groups": len({each["group"] for each in chosen}),
        "rows": rows,
    }
