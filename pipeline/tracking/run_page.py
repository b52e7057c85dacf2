"""What the MLflow UI shows of a run beside its curves: source, user, colour, description and data set.

The names of the tags are MLflow's own; its pages read them.
"""

import getpass
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.common.files import read_json
from pipeline.errors import UserError
from pipeline.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
CELL_COLOURS = {"gru": 0, "tanh": 1, "lstm": 2, "mingru": 3}
"""One colour for each of the paper's cells on every page; others follow by name."""
FIGURES = {
    "bits_per_sample": "bits per sample",
    "nats_per_step": "nats per step",
}
"""Ends of the names of summary figures that the description shows, with their words."""


def page_tags(description: dict[str, Any], status: dict[str, Any]) -> dict[str, str]:
    """Return the tags that MLflow's pages read: source, commit, user, colour, description.

    Args:
        description: the content of run.json.
        status: the content of status.json.
    """
    model = description["config"]["model"]
    found = {
        "mlflow.source.name": f"wavecast train ({description['config']['name']})",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
        "mlflow.runColor": _colour(description["variant"], model["cell"]),
        "mlflow.note.content": describe(description, status),
    }
    commit = status.get("environment", {}).get("commit")
    if commit:
        found["mlflow.source.git.commit"] = commit.removesuffix("-dirty")
        found["mlflow.source.git.dirty"] = str(commit.endswith("-dirty")).lower()
    return found


def describe(description: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the Markdown description of a run: what was trained, its figures, and where the report is."""
    config = description["config"]
    model, data = config["model"], config["input"]
    kind = data["kind"] if "sample_rate" not in data else f"{data['kind']} at {data['sample_rate']:,} Hz"
    lines = [
        f"**{_plain(description['variant'] or config['name'])}**: {model['cell']}, {model['hidden_size']} "
        f"units, {_plain(model['head'])}, on {kind}. Data set `{description['fingerprint']}`.",
    ]
    figures = [
        (name[: -len(end)].rstrip("_") or "figure", words, value)
        for name, value in sorted(status.get("summary", {}).items())
        for end, words in FIGURES.items()
        if name.endswith(end) and isinstance(value, int | float)
    ]
    if figures:
        lines += ["", "| split | figure | value |", "|---|---|---:|"]
        lines += [f"| {_plain(split)} | {words} | {value:.3f} |" for split, words, value in figures]
        lines += ["", "The artifact `report.html` has plots, sounds and the baselines."]
    elif status.get("reason"):
        lines += ["", f"Failed: {_plain(str(status['reason']))}"]
    return "\n".join(lines)


def send_dataset(client: "MlflowClient", run_id: str, run: RunFolder) -> None:
    """Send the data set as MLflow's input of the run: name, fingerprint, source and sizes of the splits."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    description = run.description()
    try:
        content = read_json(run.dataset, "prepared data set", dict)
    except UserError:  # a run whose data set was deleted is sent without it
        return
    recordings = content.get("recordings", [])
    profile = {
        "recordings": dict(Counter(each["split"] for each in recordings)),
        "groups": {
            split: len({each["group"] for each in recordings if each["split"] == split})
            for split in ("train", "valid", "test")
        },
    }
    names = [str(place).rstrip("/").rpartition("/")[2] for place in description["config"]["corpus"]["inputs"]]
    dataset = Dataset(
        name=", ".join(names)[:100] or "recordings",
        digest=description["fingerprint"],
        source_type="local",
        source=json.dumps({"names": names}),
        profile=json.dumps(profile),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry
        return "unknown"


def _colour(variant: str, cell: str) -> str:
    """Return the curve's colour: that of the cell where the variant is named after it, else by its name."""
    name = variant or cell
    place = CELL_COLOURS.get(
        name, len(CELL_COLOURS) + sum(name.encode()) % (len(COLOURS) - len(CELL_COLOURS))
    )
    return COLOURS[place]


def _plain(text: str) -> str:
    """Return a text in which Markdown and HTML mean nothing."""
    return "".join(f"&#{ord(sign)};" if sign in "\\`*_{}[]()<>#+!|&\n" else sign for sign in text)
