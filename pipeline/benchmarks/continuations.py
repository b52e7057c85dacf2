"""Similarity of continuations to their recordings: a grid of sampling settings, and rules that rank takes.

Each recording is cut some seconds before its end. The model continues the first part, and each take is
compared with the removed part. A continuation may have other content than the recording. Therefore only the
level, the long-term spectrum and the share of voiced frames are compared, not single samples.
"""

import statistics
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import INT16_SCALE
from pipeline.common.progress import shown
from pipeline.errors import UserError
from pipeline.features.short_time import frames_of
from pipeline.generation.continuation import Continuation
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import DEFAULT_NOISE_SCALE, DEFAULT_TEMPERATURE, SamplingOptions
from pipeline.generation.ranking import CONTEXT_S, band_levels_db
from pipeline.model.trained_model import TrainedModel

Samples = NDArray[np.int16]
Measures = dict[str, float]

FRAME_S = 0.04
PITCH_HZ = (70.0, 400.0)
VOICED = 0.6
"""Autocorrelation, at the lag of the period, from which a frame counts as voiced (1 is strictly periodic)."""
QUIET_DB = -25.0
"""A frame so far below the context is a pause, not voiced."""
SILENCE = 0.03
"""Recordings end where samples last pass this share of their peak: the truth is speech, not silence."""
MEASURES = {
    "level_db": "level, dB",
    "level_error_db": "level error, dB",
    "spectrum_db": "spectrum, dB",
    "voiced": "voiced",
}
NOTE = (
    "Level: against the last 3 s of the context. Level error: against the true continuation. Spectrum: "
    "root-mean-square difference of mean band levels from the true continuation. Means over takes."
)


def continuation_table(
    model: TrainedModel,
    recordings: Sequence[Samples],
    seconds: float = 2.0,
    temperatures: Sequence[float] = (0.8, 0.9, 1.0, 1.1),
    noise_scales: Sequence[float] = (0.8, 0.9, 0.95, 1.0),
    takes: int = 8,
    seed: int = 0,
) -> dict[str, Any]:
    """Continue recordings, and measure the takes against the true end.

    Args:
        model: model of sound.
        recordings: int16 samples (N,) each, at the model's rate.
        seconds: length of the continuations.
        temperatures, noise_scales: the grid of sampling options.
        takes: continuations of each recording.
        seed: of the first take's draws.

    Returns:
        `settings`, the means of the measures for each pair of temperature and noise scale; `rules`, those of
        the take that each rule puts first at the default settings; `true`, those of the recordings
        themselves; `recordings`, how many were long enough; and `markdown`, the tables to read.

    Raises:
        UserError: no recording is longer than ``seconds`` and one second of context, or there are fewer than
            two takes to rank.
    """
    if takes < 2:
        raise UserError(f"{takes} takes cannot be ranked: give --takes 2 or more", 2)
    rate = model.audio.sample_rate
    pairs = [pair for samples in recordings if (pair := _cut(samples, seconds, rate))]
    if not pairs:
        raise UserError(f"no recording is longer than {seconds + 1:g} s")
    grid = list(product(temperatures, noise_scales))
    settings = []
    for temperature, noise_scale in shown(grid, len(grid), "settings"):
        sampling = SamplingOptions(takes, seed, temperature, noise_scale)
        found = [
            _measures(context, true, take, rate)
            for context, true in pairs
            for take in continue_samples(model, context, len(true) / rate, sampling).added
        ]
        settings.append({"temperature": temperature, "noise_scale": noise_scale, **_means(found)})
    table = {
        "recordings": len(pairs),
        "takes": takes,
        "settings": settings,
        "rules": _rules(model, pairs, SamplingOptions(takes, seed, DEFAULT_TEMPERATURE, DEFAULT_NOISE_SCALE)),
        "true": _means([_measures(context, true, true, rate) for context, true in pairs]),
    }
    return {**table, "markdown": markdown(table)}


def markdown(table: Mapping[str, Any]) -> str:
    """Return the two tables of `continuation_table`, and what their columns are."""
    heads = list(MEASURES.values())
    true = ["recording", "", *_cells(table["true"])]
    rows = [[f"{x['temperature']:g}", f"{x['noise_scale']:g}", *_cells(x)] for x in table["settings"]]
    ranked = [[x["rule"], f"{x['quietest']:.2f}", *_cells(x)] for x in table["rules"]]
    parts = [
        f"{table['recordings']} recordings, {table['takes']} takes of each.",
        _markdown(["temperature", "noise scale", *heads], [*rows, true]),
        _markdown(["first take by", "the quietest", *heads], ranked),
        NOTE,
    ]
    return "\n\n".join(parts)


def voiced_share(samples: Samples, sample_rate: int, reference_db: float) -> float:
    """Return the share of frames with a pitch, by their autocorrelation (see `VOICED`, `QUIET_DB`)."""
    size = round(FRAME_S * sample_rate)
    if len(samples) < size:
        return 0.0
    frames = frames_of(samples / INT16_SCALE, size, size // 2)
    frames = frames - frames.mean(-1, keepdims=True)
    window = np.hanning(size)
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(frames * window, 2 * size))))
    of_window = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, 2 * size))))
    longest, shortest = (round(sample_rate / hz) for hz in PITCH_HZ)
    # A window's own correlation falls with the lag: divided by it, a periodic signal reaches 1.
    relative = correlation[:, shortest:longest] / (of_window[shortest:longest] / of_window[0])
    loud = 10 * np.log10(np.square(frames).mean(-1) + 1e-12) > reference_db + QUIET_DB
    return float((loud & (relative.max(-1) > VOICED * correlation[:, 0])).mean())


def _cut(samples: Samples, seconds: float, rate: int) -> tuple[Samples, Samples] | None:
    """Return context and true continuation; None where the recording is too short."""
    loudness = np.abs(samples.astype(np.int32))
    end = 1 + int(np.flatnonzero(loudness > SILENCE * loudness.max(initial=1))[-1:].sum())
    seam = end - round(seconds * rate)
    return (samples[:seam], samples[seam:end]) if seam >= rate else None


def _measures(context: Samples, true: Samples, take: Samples, rate: int) -> Measures:
    reference_db = _level_db(context[-round(CONTEXT_S * rate) :])
    spectra = [band_levels_db(sound, rate).mean(0) for sound in (true, take)]
    return {
        "level_db": _level_db(take) - reference_db,
        "level_error_db": abs(_level_db(take) - _level_db(true)),
        "spectrum_db": float(np.sqrt(np.square(spectra[0] - spectra[1]).mean())),
        "voiced": voiced_share(take, rate, reference_db),
    }


def _level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.square(samples / INT16_SCALE).mean() + 1e-12))


def _rules(
    model: TrainedModel, pairs: Sequence[tuple[Samples, Samples]], sampling: SamplingOptions
) -> list[dict[str, Any]]:
    """Return the measures of the take that each rule ranks first, and how often it is the quietest."""
    rate = model.audio.sample_rate
    firsts: dict[str, list[Measures]] = {}
    for context, true in shown(pairs, len(pairs), "rank"):
        takes = continue_samples(model, context, len(true) / rate, sampling)
        found = [_measures(context, true, take, rate) for take in takes.added]
        quietest = min(range(len(found)), key=lambda take: found[take]["level_db"])
        for rule, take in _first_takes(takes).items():
            firsts.setdefault(rule, []).append({**found[take], "quietest": float(take == quietest)})
    return [{"rule": rule, **_means(found)} for rule, found in firsts.items()]


def _first_takes(takes: Continuation) -> dict[str, int]:
    assert takes.nats_per_step is not None
    assert takes.distance_db is not None
    return {
        "seed": int(np.argmin(takes.seeds)),
        "likelihood": int(np.argmin(takes.nats_per_step)),
        "distance to the context": int(np.argmin(takes.distance_db)),
    }


def _means(found: Sequence[Measures]) -> Measures:
    return {name: statistics.fmean(each[name] for each in found) for name in found[0]}


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [f"{row[measure]:.2f}" for measure in MEASURES]


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
