"""Recordings in each container, mutated."""

import io
from pathlib import Path
from random import Random

import numpy as np

from pipeline.audio.decode import read_mono
from tests.fuzz.fuzzing import Attempt
from tests.fuzz.mutations import mutate_bytes, mutate_ogg

CONTAINERS = {  # suffix: libsndfile's name and the encodings
    "wav": ("WAV", ("PCM_16", "FLOAT", "IMA_ADPCM", "ULAW")),
    "flac": ("FLAC", ("PCM_16", "PCM_24")),
    "ogg": ("OGG", ("VORBIS", "OPUS")),
    "mp3": ("MP3", ("MPEG_LAYER_III",)),
    "aiff": ("AIFF", ("PCM_16", "FLOAT")),
    "au": ("AU", ("PCM_16", "ULAW")),
    "w64": ("W64", ("PCM_16",)),
    "caf": ("CAF", ("PCM_16", "ALAC_16")),
    "rf64": ("RF64", ("PCM_16", "FLOAT")),
    "opus": ("OGG", ("OPUS",)),
    "nist": ("NIST", ("PCM_16", "ULAW")),
    "voc": ("VOC", ("PCM_16", "ULAW")),
}


def encoded(container: str, encoding: str, samples: int = 3_000) -> bytes:
    """A tone in a container."""
    import soundfile

    tone = 0.3 * np.sin(np.arange(samples) / 9)
    target = io.BytesIO()
    soundfile.write(target, tone, 16_000, encoding, format=container)
    return target.getvalue()


def audio(suffix: str, folder: Path) -> Attempt:
    """Read a mutated recording to its end."""
    container, encodings = CONTAINERS[suffix]
    whole = [encoded(container, encoding) for encoding in encodings]
    mutate = mutate_ogg if container == "OGG" else mutate_bytes

    def attempt(draw: Random, folder: Path) -> None:
        path = folder / f"sound.{suffix}"
        path.write_bytes(mutate(draw.choice(whole), draw))
        read_mono(path, 16_000)

    return attempt
