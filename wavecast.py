"""Audio as a sequence: train recurrent predictors, continue, score, conceal and compress recordings.

Everything that a program needs is here; nothing heavy is imported before it is used.

Example:
    >>> import wavecast
    >>> model = wavecast.load_model("models:/wavecast@champion")  # doctest: +SKIP
    >>> model.predict("talk.wav", seconds=2).sound(0)             # doctest: +SKIP
    >>> wavecast.conceal([0.0] * 8000, gaps=[[0.5, 0.52]], sample_rate=8000).shape
    (8000,)
"""

import importlib
from typing import TYPE_CHECKING

from pipeline.errors import RecordingRejected, TrainingInterrupted, UserError

if TYPE_CHECKING:
    from pipeline.api.corpora import evaluate, prepare, train
    from pipeline.api.model import Model, Recording, load_model
    from pipeline.api.recordings import compress, conceal, decompress, generate, predict, score
    from pipeline.compression.codec import Compressed
    from pipeline.compression.pcm_files import IntegerSound
    from pipeline.generation.continuation import Continuation, JoinOptions
    from pipeline.scoring.windows import RecordingScore

    __version__: str

__all__ = [
    "Compressed",
    "Continuation",
    "IntegerSound",
    "JoinOptions",
    "Model",
    "Recording",
    "RecordingRejected",
    "RecordingScore",
    "TrainingInterrupted",
    "UserError",
    "__version__",
    "compress",
    "conceal",
    "decompress",
    "evaluate",
    "generate",
    "load_model",
    "predict",
    "prepare",
    "score",
    "train",
]

_HOMES = {
    "pipeline.api.model": ("Model", "Recording", "load_model"),
    "pipeline.compression.codec": ("Compressed",),
    "pipeline.compression.pcm_files": ("IntegerSound",),
    "pipeline.generation.continuation": ("Continuation", "JoinOptions"),
    "pipeline.scoring.windows": ("RecordingScore",),
    "pipeline.api.corpora": ("evaluate", "prepare", "train"),
    "pipeline.api.recordings": ("compress", "conceal", "decompress", "generate", "predict", "score"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("wavecast")
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'wavecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
