"""Models on disk and the integers of recordings, for tests of compression."""

from pathlib import Path

import numpy as np

from pipeline.compression.pcm_files import Integers, read_integers
from pipeline.model.storage import save_model
from pipeline.model.trained_model import TrainedModel


def saved(folder: Path, model: TrainedModel) -> Path:
    weights = dict(model.network.state_dict())
    save_model(folder, weights, model.input, model.model, model.normalisation, model.trained)
    return folder


def integers(path: Path) -> Integers:
    return np.concatenate(list(read_integers(path, 1 << 16)))
