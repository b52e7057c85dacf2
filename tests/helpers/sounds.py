"""Small recordings for tests, made here: each its own pitch, so that no two are the same sound."""

from pathlib import Path

import numpy as np
import soundfile


def write_noisy_tones(
    folder: Path, count: int, seconds: float, sample_rate: int, content: str = "tones"
) -> Path:
    """Write ``count`` recordings of ``content``: noisy tones, silence, square waves or full-scale noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        length = round(seconds * sample_rate) + number  # lengths differ, so that silences do, too
        time_s = np.arange(length) / sample_rate
        tone = np.sin(2 * np.pi * (200 + 30 * number) * time_s)
        if content == "silence":
            sound = np.zeros(length)
        elif content == "square":
            sound = np.sign(tone) * 0.99997
        elif content == "noise":
            sound = np.sign(random.standard_normal(length)) * 0.99997
        else:
            sound = 0.3 * tone + 0.01 * random.standard_normal(length)
        soundfile.write(folder / f"{content}-{number}.wav", sound, sample_rate)
    return folder
