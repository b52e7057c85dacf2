"""The model that a command uses: what the user named, or a default that is then printed."""

import sys
from typing import TYPE_CHECKING

from pipeline.cli.unfinished import unfinished_model
from pipeline.errors import one_line
from pipeline.registry.registry import DEFAULT_NAME, FoundModel, find_model

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel


def choose_model(
    reference: str, name: str = DEFAULT_NAME, uri: str | None = None, unfinished: bool = False
) -> FoundModel:
    """Return the model of this name; without one the default, whose name goes to standard error.

    See `pipeline.registry.registry.find_model`.

    Args:
        reference: what the user named; empty for the default.
        name: the registered model whose versions and aliases are meant.
        uri: the store as configured; None is the default one.
        unfinished: accept a run whose training is not finished. What is written must not need the model
            later, as a compressed recording does: its weights are replaced.
    """
    if unfinished and (folder := unfinished_model(reference)):
        return FoundModel(folder, f"{reference} (unfinished)")
    found = find_model(reference, name, uri)
    if not reference:
        others = f"; other champions: {', '.join(found.others)}" if found.others else ""
        print(f"model: {one_line(found.label + others)}", file=sys.stderr)
    return found


def load_chosen(
    reference: str, device: str = "auto", unfinished: bool = False
) -> "tuple[TrainedModel, FoundModel]":
    """Return the model of this name, loaded, and where it was found."""
    found = choose_model(reference, unfinished=unfinished)
    return found.load(device), found
