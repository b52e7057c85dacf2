"""Models on disk and the integers of recordings, for tests of compression."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.compression.codec import CodingModel
from pipeline.compression.container import FIRST_VERSION, Header, coded_file
from pipeline.compression.first_format import Coder
from pipeline.compression.network_mixture import Alphabet, exact_arithmetic
from pipeline.compression.pcm_files import Integers, examine, read_integers
from pipeline.model.storage import save_model
from pipeline.model.trained_model import TrainedModel


def saved(folder: Path, model: TrainedModel) -> Path:
    weights = dict(model.network.state_dict())
    save_model(folder, weights, model.input, model.model, model.normalisation, model.trained)
    return folder


def integers(path: Path) -> Integers:
    return np.concatenate(list(read_integers(path, 1 << 16)))


def compress_in_first_format(coding: CodingModel, source: Path, target: Path) -> None:
    """Write a sound of one channel as the first release did, in one block."""
    sound = replace(examine(source), unused_bits=0)
    frames = -(-sound.frames // coding.model.framing.hop) * coding.model.framing.hop
    header = Header(coding.hash, coding.name, coding.first_arithmetic, frames, sound, FIRST_VERSION)
    bits = min(sound.depth, 16)
    whole = integers(source)[:, 0]
    rest = (whole & ((1 << (sound.depth - bits)) - 1)).astype("<u1" if sound.depth - bits == 8 else "<u2")
    with coded_file(target, header) as write, exact_arithmetic(coding.model):
        coder = Coder(coding.model, Alphabet.of(coding.model, bits))
        code = coder.encode((whole >> (sound.depth - bits)) + (1 << (bits - 1)))
        write((code, zlib.compress(rest.tobytes()) if sound.depth > bits else b""))
