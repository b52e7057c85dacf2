"""Answers to requests: continuations as numbers or as sound files in base64, with rate and level."""

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import Samples, to_float
from pipeline.serving.options import Output, ServingOptions

LEAST_LEVEL_DB = -100.0
"""Level that is stated for silence, since JSON has no infinity."""


def sound_answer(added: Samples, context: Samples, rate: int, seed: int, output: Output) -> dict[str, Any]:
    """Return the answer for one recording.

    Args:
        added: the continuation (M,).
        context: the recording (N,).
        rate: sample rate of both in Hz.
        seed: seed of the draw.
        output: form of the continuation.

    Returns:
        `samples` (M,) float32 in [-1, 1], or `audio`, a file in base64; `format`, `sample_rate` in Hz,
        `seconds`, `level_db` and `recording_level_db` (root mean square in dB of full scale), and `seed`.
    """
    sound: dict[str, Any] = {"samples": to_float(added)}
    if output != "array":
        sound = {"audio": encoded(added, rate, output)}
    return {
        **sound,
        "format": output,
        "sample_rate": rate,
        "seconds": len(added) / rate,
        "level_db": level_db(added),
        "recording_level_db": level_db(context),
        "seed": seed,
    }


def rows_answer(rows: NDArray[Any], rate_hz: float, options: ServingOptions, index: int) -> dict[str, Any]:
    """Return the answer for one spectrogram or piece of music: `rows` (T, D) float32 and their rate in Hz."""
    return {
        "rows": np.asarray(rows, np.float32),
        "format": "array",
        "row_rate_hz": rate_hz,
        "seconds": len(rows) / rate_hz,
        "seed": options.sampling(index).seed,
    }


def encoded(samples: Samples, rate: int, kind: Output) -> str:
    """Return samples (N,) as a 16-bit WAV or FLAC file in base64."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind.upper(), subtype="PCM_16")
    return base64.b64encode(file.getvalue()).decode("ascii")


def level_db(samples: Samples) -> float:
    """Return the root mean square of samples (N,) in dB of full scale, at least `LEAST_LEVEL_DB`."""
    power = float(np.mean(np.square(to_float(samples, np.float64)))) if len(samples) else 0.0
    return round(max(LEAST_LEVEL_DB, 10 * math.log10(power)) if power else LEAST_LEVEL_DB, 2)
