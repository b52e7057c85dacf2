"""The model that a command uses: what the user named, or a default that is then printed."""

import sys
from typing import TYPE_CHECKING

from pipeline.errors import one_line
from pipeline.registry.registry import DEFAULT_NAME, FoundModel, find_model

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel


def choose_model(reference: str, name: str = DEFAULT_NAME, uri: str | None = None) -> FoundModel:
    """Return the model of this name; without one the default, whose name goes to standard error.

    See `pipeline.registry.registry.find_model`.
    """
    found = find_model(reference, name, uri)
    if not reference:
        others = f"; other champions: {', '.join(found.others)}" if found.others else ""
        print(f"model: {one_line(found.label + others)}", file=sys.stderr)
    return found


def load_chosen(reference: str, device: str = "auto") -> "tuple[TrainedModel, FoundModel]":
    """Return the model of this name, loaded, and where it was found."""
    found = choose_model(reference)
    return found.load(device), found
