"""Bits per sample of recordings under FLAC, the adaptive predictor, a network, and both together.

Every recording is coded from its beginning. Files are written and restored, so that their sizes and the speed
are those of `wavecast compress` and `decompress`.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.pcm import Samples
from pipeline.coding.layout import layout_of_samples
from pipeline.common.progress import shown
from pipeline.compression.codec import CodingModel, compress_sound, decompress_sound
from pipeline.compression.pcm_files import examine, read_integers
from pipeline.errors import UserError
from pipeline.evaluation.waveform_baselines import adaptive_bits, flac_bits_per_sample
from pipeline.scoring.plot import score_with_picture

WINDOW_S = 1.0
FRAMES = 1 << 20
NAMES = {
    "flac": "FLAC, best setting, all recordings in one file",
    "adaptive": "adaptive predictor, without a network",
    "network": "network alone",
    "with_experts": "network with adaptive experts",
    "adaptive_head": "network on adaptive predictions",
    "fast_file": "files of `compress --fast`",
    "file": "files of `compress`",
}


def code_length_table(coding: CodingModel | None, recordings: Sequence[Path]) -> dict[str, Any]:
    """Measure recordings under all codes, write files of them, and restore the files.

    Args:
        coding: model of waveforms; None measures what needs no model.
        recordings: sound files that `require_form` accepts, all at one rate.

    Returns:
        `bits_per_sample` over all recordings by code, `of_recordings` with the figures of each, `real_time`
        with the speed of files (times faster than the sound), the size of the whole, and `markdown`.

    Raises:
        UserError: a recording has another form.
    """
    rate = None if coding is None else coding.model.audio.sample_rate
    for path in recordings:
        rate = require_form(path, rate)
    assert rate is not None, "there is no recording"
    sounds = [_samples(path) for path in recordings]
    seconds = {"fast_file": [0.0, 0.0], "file": [0.0, 0.0]}
    rows = []
    pairs = list(zip(recordings, sounds, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        for path, samples in shown(pairs, len(pairs), "recordings"):
            row = {"recording": path.name, "samples": len(samples)}
            row["adaptive"] = adaptive_bits(samples, layout_of_samples(samples))
            row["fast_file"] = _file_bits(None, path, Path(folder), seconds["fast_file"])
            if coding is not None:
                score = score_with_picture(coding.model, path, WINDOW_S)
                bits, mixed = score.bits_per_sample or 0.0, score.bits_with_experts or 0.0
                found = {"network": bits, "with_experts": mixed}
                if coding.model.framing.adaptive:  # which has the experts in its own mixture
                    found = {"adaptive_head": bits}
                row |= {name: each * len(samples) for name, each in found.items()}
                row["file"] = _file_bits(coding, path, Path(folder), seconds["file"])
            rows.append(row)
    return _table(rows, flac_bits_per_sample(sounds, rate), rate, seconds)


def require_form(path: Path, rate: int | None) -> int:
    """Return the sample rate of a recording that can be measured.

    Args:
        path: the sound file.
        rate: sample rate of the model or of the recordings before, in Hz; None accepts any.

    Raises:
        UserError: it has not one channel of 16 bits, or another rate.
    """
    sound = examine(path)
    if (sound.depth, sound.channels) != (16, 1):
        raise UserError(f"{path}: {sound.channels} channels of {sound.depth} bits, not one of 16")
    if rate not in (None, sound.sample_rate):
        raise UserError(f"{path}: {sound.sample_rate} Hz, not {rate} Hz as the model or the others have")
    return sound.sample_rate


def _samples(path: Path) -> Samples:
    return np.concatenate(list(read_integers(path, FRAMES)))[:, 0].astype(np.int16)


def _file_bits(coding: CodingModel | None, path: Path, folder: Path, seconds: list[float]) -> float:
    """Return the bits of a file that is restored exactly; adds to the seconds of processor time."""
    packed, restored = folder / "packed.wcz", folder / "restored.wav"
    done = _timed(lambda: compress_sound(coding, path, packed), seconds, 0)
    if _timed(lambda: decompress_sound(coding, packed, restored), seconds, 1) != done.sound:
        raise AssertionError(f"{path} is not restored")
    return float(8 * done.bytes_after)


def _timed(work: Callable[[], Any], seconds: list[float], place: int) -> Any:
    begin = time.process_time()
    result = work()
    seconds[place] += time.process_time() - begin
    return result


def _table(
    rows: list[dict[str, Any]], flac: float, rate: int, seconds: dict[str, list[float]]
) -> dict[str, Any]:
    samples = sum(row["samples"] for row in rows)
    found = {"flac": flac}
    found |= {name: sum(row[name] for row in rows) / samples for name in NAMES if name in rows[0]}
    for row in rows:
        row |= {name: round(row[name] / row["samples"], 4) for name in NAMES if name in row}
    real_time = {
        name: [round(samples / rate / part, 1) for part in parts]
        for name, parts in seconds.items()
        if all(parts)
    }
    table = {
        "recordings": len(rows),
        "seconds": round(samples / rate, 2),
        "sample_rate": rate,
        "bits_per_sample": {name: round(bits, 4) for name, bits in found.items()},
        "real_time": real_time,
        "of_recordings": rows,
    }
    return {**table, "markdown": markdown(table)}


def markdown(table: dict[str, Any]) -> str:
    """Return the table as Markdown, the lowest figure in bold.

    Args:
        table: as `code_length_table` returns it.
    """
    found = table["bits_per_sample"]
    lines = ["| code | bits per sample | compress, decompress: times real time |", "|---|---:|---:|"]
    for name, bits in found.items():
        figure = f"**{bits:.3f}**" if bits == min(found.values()) else f"{bits:.3f}"
        speed = ", ".join(f"{each:.0f}" for each in table["real_time"].get(name, []))
        lines.append(f"| {NAMES[name]} | {figure} | {speed} |")
    return "\n".join(lines)
