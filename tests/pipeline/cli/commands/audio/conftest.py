"""A model that compresses, and a recording that it compressed."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.compression.codec import CodingModel, compress_sound
from tests.helpers.builders import tiny_model, tone, write_sound
from tests.helpers.coded_files import saved


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "first", tiny_model())


@pytest.fixture(scope="module")
def coding(model_folder: Path) -> CodingModel:
    return CodingModel.load(model_folder, "first")


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, coding: CodingModel) -> Path:
    """A compressed recording of two channels."""
    folder = tmp_path_factory.mktemp("coded")
    source = write_sound(folder / "a.wav", np.stack([tone(400), tone(400, 1)], 1))
    compress_sound(coding, source, folder / "a.wcz")
    return folder / "a.wcz"
