"""Recordings to predictions: corpus, data set, training, evaluation, generation, tracking, command line."""

import os

# Torch's threads wait for each other thousands of times a second. By default they wait spinning; after this
# many turns they release the core, which beside other busy programs makes training 3 to 5 times as fast
# (measured on two cores) and hardly matters on an idle machine. It must be set before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = ["load_model"]


def __getattr__(name: str) -> object:
    """Import `pipeline.api.model.load_model` when it is first used."""
    if name != "load_model":
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    from pipeline.api.model import load_model

    return load_model
