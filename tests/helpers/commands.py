"""Verbs that make something of a sound: how to call them, and what must hold whatever happens."""

import io
from pathlib import Path

import numpy as np
import soundfile

from pipeline.config.inputs import WaveformConfig
from pipeline.model.storage import save_model
from tests.helpers.builders import tiny_model
from tests.helpers.cli import Outcome

SUFFIXES = {
    "predict": ".flac",
    "conceal": ".wav",
    "compress": ".wcz",
    "decompress": ".wav",
    "spectrogram": ".png",
    "score": ".csv",
}


def saved_model(folder: Path) -> Path:
    """An untrained model of sound at 8 kHz, saved in this folder."""
    config = WaveformConfig(sample_rate=8_000)
    tiny = tiny_model(config)
    facts = {"loudest_level": 1.0}
    save_model(folder, tiny.network.state_dict(), config, tiny.model, tiny.normalisation, facts)
    return folder


def arguments(
    verb: str, source: Path | str, output: Path | str, model: Path, *options: str
) -> list[Path | str]:
    """What calls a verb on one source; others may follow."""
    more: list[Path | str] = [] if verb in ("spectrogram", "conceal") else ["-m", model]
    more += ["--seconds", "0.01"] if verb == "predict" else []
    return [verb, "-o", output, *more, *options, "--", source]


def hidden(folder: Path) -> list[Path]:
    """Temporary files that were left."""
    return list(folder.rglob(".*"))


def message(outcome: Outcome, *names: str) -> None:
    """A line for each of these names, and no other."""
    lines = outcome.error.splitlines()
    assert len(lines) == len(names), outcome.error
    for line, name in zip(lines, names, strict=True):
        assert line.startswith("wavecast: ")
        assert name in line


def read(path: Path) -> None:
    """Read a result to its end, as its suffix says; what is damaged raises."""
    if path.suffix in (".wav", ".flac"):
        assert np.isfinite(soundfile.read(io.BytesIO(path.read_bytes()))[0]).all()
    elif path.suffix == ".png":
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    elif path.suffix == ".csv":
        assert path.read_bytes().endswith(b"\n")
    else:
        assert path.stat().st_size > 0
