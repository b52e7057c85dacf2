"""Quality of concealment: every method, for several packet lengths and shares of lost packets.

Packets are lost independently, so that adjacent losses make longer gaps. All methods fill the same losses.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.common.progress import shown
from pipeline.concealment.extrapolation import autoregression
from pipeline.concealment.fill import GapFiller, Samples, conceal
from pipeline.concealment.gaps import Gaps, gap_mask, random_losses
from pipeline.concealment.methods import filler, model_expectation
from pipeline.concealment.quality import NO_PESQ, estoi, has_pesq, log_spectral_distance_db, pesq, snr_db
from pipeline.model.trained_model import TrainedModel

SPARED_S = 0.3
MEASURES = {  # name in the data: heading and decimals in the table
    "snr_db": ("SNR dB", 2),
    "lsd_db": ("LSD dB", 2),
    "estoi": ("ESTOI", 3),
    "pesq": ("PESQ", 2),
}
NOTE = (
    "SNR over the lost samples, LSD over frames that touch them, ESTOI and PESQ over whole recordings; "
    "means over recordings. The first 0.3 s always arrive."
)


def concealment_table(
    model: TrainedModel,
    recordings: Sequence[Samples],
    gaps_ms: Sequence[float] = (10, 20, 40, 80),
    losses: Sequence[float] = (0.05, 0.10, 0.20),
    seed: int = 0,
) -> dict[str, Any]:
    """Fill random losses in recordings by every method, and measure the results.

    Args:
        model: model of waveforms.
        recordings: int16 samples (N,) each, at the model's rate.
        gaps_ms: lengths of a packet in milliseconds.
        losses: shares of lost packets.
        seed: of the losses and the model's draws.

    Returns:
        `rows`, one for each share of ``losses``, length of ``gaps_ms`` and method, with the means of
        `snr_db`, `snr_overall_db` (of whole recordings), `lsd_db`, `estoi`, `pesq`; None where a measure
        is undefined. Also what was measured, `notes`, and `markdown`, the table as text.
    """
    rate = model.audio.sample_rate
    methods = _methods(model, seed)
    cells = [(loss, gap_ms) for loss in losses for gap_ms in gaps_ms]
    rows = []
    for loss, gap_ms in shown(cells, len(cells), "conceal"):
        lost = [
            random_losses(len(x), round(gap_ms * rate / 1000), loss, round(SPARED_S * rate), seed + index)
            for index, x in enumerate(recordings)
        ]
        for name, how in methods.items():
            figures = [_measured(x, gaps, rate, how) for x, gaps in zip(recordings, lost, strict=True)]
            rows.append({"loss": loss, "gap_ms": gap_ms, "method": name, **_means(figures)})
    table = {
        "recordings": len(recordings),
        "seconds": round(sum(map(len, recordings)) / rate, 1),
        "sample_rate": rate,
        "seed": seed,
        "notes": [NOTE] if has_pesq() else [NOTE, NO_PESQ],
        "rows": rows,
    }
    return {**table, "markdown": markdown(table)}


def _methods(model: TrainedModel, seed: int) -> dict[str, GapFiller]:
    """Return the methods of `wavecast conceal` with their extrapolators."""
    return {
        "zero": filler("zero"),
        "repeat": filler("repeat"),
        "ar": filler("ar"),
        "model alone": GapFiller(model_expectation(model, seed)),
        "ar, both sides": GapFiller(autoregression, autoregression),
        "blend": filler("blend"),
        "model": filler("model", model, seed),
    }


def _measured(original: Samples, gaps: Gaps, sample_rate: int, how: GapFiller) -> dict[str, float | None]:
    lost = gap_mask(gaps, len(original))
    received = np.where(lost, np.int16(0), original)
    filled = conceal(received, gaps, sample_rate, how)
    return {
        "snr_db": snr_db(original, filled, lost),
        "snr_overall_db": snr_db(original, filled, np.ones_like(lost)),
        "lsd_db": log_spectral_distance_db(original, filled, sample_rate, lost),
        "estoi": estoi(original, filled, sample_rate),
        "pesq": pesq(original, filled, sample_rate),
    }


def _means(figures: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the mean of each measure over the recordings for which it is defined."""
    means: dict[str, float | None] = {}
    for name in figures[0]:
        defined = [value for each in figures if (value := each[name]) is not None and np.isfinite(value)]
        means[name] = statistics.fmean(defined) if defined else None
    return means


def markdown(table: Mapping[str, Any]) -> str:
    """Return the table as text: a block for each measure, a line for each method, the best figures bold."""
    return "\n".join(_lines(table))


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    rows = table["rows"]
    columns = list(dict.fromkeys((row["loss"], row["gap_ms"]) for row in rows))
    figure = {(row["method"], row["loss"], row["gap_ms"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for name, (heading, decimals) in MEASURES.items():
        found = {m: [figure[m, *column][name] for column in columns] for m in methods}
        if all(value is None for values in found.values() for value in values):
            continue
        yield f"| {heading} | " + " | ".join(f"{loss:.0%}, {gap:g} ms" for loss, gap in columns) + " |"
        yield "|---|" + "---:|" * len(columns)
        best = [
            _best([found[m][i] for m in methods], min if name == "lsd_db" else max, decimals)
            for i in range(len(columns))
        ]
        for method in methods:
            cells = [_cell(value, top, decimals) for value, top in zip(found[method], best, strict=True)]
            yield f"| {method} | " + " | ".join(cells) + " |"
        yield ""
    yield " ".join(table["notes"])


def _best(
    values: Sequence[float | None], which: Callable[[list[float]], float], decimals: int
) -> float | None:
    defined = [round(value, decimals) for value in values if value is not None]
    return which(defined) if defined else None


def _cell(value: float | None, best: float | None, decimals: int) -> str:
    if value is None:
        return ""
    text = f"{value:.{decimals}f}"
    return f"**{text}**" if round(value, decimals) == best else text
