"""What the MLflow UI shows of a run beside its curves: name, source, user, colour and description.

The names of the tags are MLflow's own; its pages read them.
"""

import getpass
from typing import Any

from pipeline.errors import printable
from pipeline.tracking.pages.start_gain import start_gain

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
CELL_COLOURS = {"gru": 0, "tanh": 1, "lstm": 2, "mingru": 3}
"""One colour for each of the paper's cells on every page; others follow by name."""
FIGURES = {
    "bits_per_sample": "bits per sample",
    "nats_per_step": "nats per step",
}
"""Ends of the names of summary figures that the description shows, with their words."""
SIGNS = frozenset("\\`*_{}[]()<>#+!|&:.@~")
"""Characters with a meaning in Markdown, in HTML or in addresses."""


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


def run_name(description: dict[str, Any]) -> str:
    """Return a readable name: what was trained on what. The run folder's name, with its hash, is a tag.

    Args:
        description: the content of run.json.

    Example:
        `gru 227, 8 autoregressive, digits`; a variant with a name of its own is written before it.
    """
    config, variant = description["config"], description["variant"]
    model = config["model"]
    stated = {"", config["name"], model["cell"], model["head"], model.get("covariance")}
    own = "" if variant in stated else f"{variant}: "
    return f"{own}{_network(model)}, {_head(model)}, {config['name']}"


def _network(model: dict[str, Any]) -> str:
    budget = model.get("parameter_budget")
    size = f"of {budget:,} weights" if budget else str(model["hidden_size"])
    layers = f"{model['num_layers']} x " if model.get("num_layers", 1) > 1 else ""
    kind = " encoder-decoder" if model.get("architecture") == "encoder-decoder" else ""
    return f"{model['cell']}{kind} {layers}{size}"


def _head(model: dict[str, Any]) -> str:
    if model["head"] != "gaussian_mixture":
        return str(model["head"]).replace("_", " ")
    return f"{model['mixture_components']} {model['covariance']}"


def describe(description: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the Markdown description of a run: what was trained, its figures, and where the report is."""
    config = description["config"]
    model, data = config["model"], config["input"]
    kind = data["kind"] if "sample_rate" not in data else f"{data['kind']} at {data['sample_rate']:,} Hz"
    lines = [
        f"**{plain(description['variant'] or config['name'])}**: {plain(_network(model))}, "
        f"{plain(_head(model))}, on {kind}. Data set {plain(description['fingerprint'])}.",
    ]
    figures = [
        (name[: -len(end)].rstrip("_") or "figure", words, value)
        for name, value in sorted(status.get("summary", {}).items())
        for end, words in FIGURES.items()
        if name.endswith(end) and isinstance(value, int | float)
    ]
    if figures:
        lines += ["", "| split | figure | value |", "|---|---|---:|"]
        lines += [f"| {plain(split)} | {words} | {value:.3f} |" for split, words, value in figures]
        if gain := start_gain(status):
            lines += ["", f"{plain(gain.sentence)}."]
        lines += ["", "The artifact `report.html` has plots, sounds and the baselines."]
    elif status.get("reason"):
        lines += ["", f"Failed: {plain(str(status['reason']))}"]
    return "\n".join(lines)


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


def plain(text: str) -> str:
    """Return a text in which Markdown, HTML, addresses and control characters mean nothing."""
    return "".join(f"&#{ord(sign)};" if sign in SIGNS else sign for sign in printable(text))
