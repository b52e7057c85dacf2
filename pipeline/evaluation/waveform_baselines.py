"""Baselines of samples: a uniform code, one Gaussian, linear predictors, fixed and adaptive, and FLAC."""

import io
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from models.distributions.mixture import DiagonalMixture
from pipeline.audio.linear_prediction import fit_linear_predictor
from pipeline.audio.pcm import INT16_SCALE, SAMPLE_BITS, unused_bits
from pipeline.coding.layout import Layout, layout_of
from pipeline.common.progress import shown
from pipeline.data.preparing.execution import usable_processors
from pipeline.evaluation.baseline import Comparison, Figures
from pipeline.evaluation.nll import code_length_bits
from pipeline.features.normaliser import Normaliser
from pipeline.features.representation import Representation

BLOCK = 1 << 18
"""Values scored at a time, so that memory stays flat."""

Scored = tuple[DiagonalMixture, torch.Tensor, int]
"""Distributions, the integer samples (N, 1) that they are asked about, and the distance of two samples."""


def are_samples(representation: Representation) -> bool:
    """Whether rows are single samples."""
    return representation.rows_are_samples


def uniform(comparison: Comparison) -> Figures:
    """Return the figures of a uniform distribution: 16 bits, less those that a recording leaves unused."""
    dataset, bits, count = comparison.dataset, 0, 0
    for samples in comparison.scored():
        bits += len(samples) * (SAMPLE_BITS - _unused_bits(samples.numpy()))
        count += len(samples)
    std = dataset.normalisation.std[0]
    return Figures(math.log(2 * INT16_SCALE * dataset.representation.unit / std), bits / count)


def fixed_gaussian(comparison: Comparison) -> Figures:
    """Return the figures of one Gaussian with the mean and standard deviation of the training split."""
    zero = torch.zeros(1, 1)
    fixed = DiagonalMixture(torch.zeros(1), zero, torch.ones(1, 1))

    def distributions() -> Iterator[Scored]:
        for samples in comparison.scored():
            distance = 1 << _unused_bits(samples.numpy())
            for block in samples.split(BLOCK):
                yield fixed, block, distance

    return _score(distributions(), comparison.normaliser())


def linear_predictor(comparison: Comparison) -> Figures:
    """Return the figures of a linear predictor whose error has a fixed mixture of Gaussians."""
    normaliser = comparison.normaliser()
    train = (rows[:, 0].numpy() for rows in comparison.train())
    predictor = fit_linear_predictor(train, comparison.linear_order)
    scale = normaliser.unit / float(normaliser.std)
    shift = float(normaliser.mean / normaliser.std)
    std = torch.from_numpy(predictor.residual_std * scale)[:, None]
    logits = torch.from_numpy(np.log(predictor.residual_weight))

    def distributions() -> Iterator[Scored]:
        for rows in comparison.scored():
            distance = 1 << _unused_bits(rows.numpy())
            mean = torch.from_numpy(predictor.predict(rows[:, 0].numpy()) * scale - shift)[:, None, None]
            for start in range(0, len(rows), BLOCK):
                block = slice(start, start + BLOCK)
                yield DiagonalMixture(logits, mean[block], std), rows[block], distance

    return _score(distributions(), normaliser)


def flac(comparison: Comparison) -> Figures:
    """Return the code length of FLAC at its best setting, which has no density."""
    recordings = (rows[:, 0].numpy() for rows in comparison.scored())
    sound = comparison.dataset.representation.sound
    assert sound is not None
    return Figures(None, flac_bits_per_sample(recordings, sound.sample_rate))


def flac_bits_per_sample(recordings: Iterable[np.ndarray], sample_rate: int) -> float:
    """Return the code length of FLAC at its best setting, with all recordings in one stream, by libsndfile.

    Args:
        recordings: 16-bit samples (N,) each.
        sample_rate: in Hz.
    """
    import soundfile

    written, count = io.BytesIO(), 0
    rate = sample_rate if sample_rate < 1 << 16 else sample_rate // 10 * 10  # higher ones FLAC has in tens
    with soundfile.SoundFile(written, "w", rate, 1, "PCM_16", format="FLAC", compression_level=1.0) as stream:
        for samples in recordings:
            stream.write(samples)
            count += len(samples)
    return 8 * len(written.getbuffer()) / count


def adaptive_predictor(comparison: Comparison) -> Figures:
    """Return the code length of the adaptive predictor, which is not fitted and has no density.

    It starts anew in each recording. Recordings are scored on all processors.
    """
    recordings = [rows[:, 0].numpy() for rows in comparison.scored()]
    with ThreadPoolExecutor(usable_processors()) as pool:
        lengths = list(shown(pool.map(adaptive_bits, recordings), len(recordings), "adaptive predictor"))
    return Figures(None, math.fsum(lengths) / sum(map(len, recordings)))


def adaptive_bits(samples: np.ndarray, layout: Layout | None = None) -> float:
    """Return the code length in bits of a recording under the adaptive predictor.

    Args:
        samples: 16-bit samples (N,).
        layout: which samples may occur, whose bytes are counted; None leaves out unused low bits alone.
    """
    from models.adaptive.code_length import AdaptivePredictor

    layout = layout or layout_of(SAMPLE_BITS, _unused_bits(samples), b"")
    predictor, bits = AdaptivePredictor(layout.cells), math.log2(SAMPLE_BITS) + 8 * len(layout.packed)
    for start in range(0, len(samples), BLOCK):
        values = layout.cells.values[layout.places(samples[start : start + BLOCK])]
        bits += float(predictor.bits(values).sum())
    return bits


def _unused_bits(samples: np.ndarray) -> int:
    return unused_bits(int(np.bitwise_or.reduce(samples, None, initial=0)), SAMPLE_BITS)


def _score(scored: Iterable[Scored], normaliser: Normaliser) -> Figures:
    """Average over distributions and the integer samples that they are asked about."""
    nats, bits, count = 0.0, 0.0, 0
    for distribution, samples, distance in scored:
        values, intervals = normaliser.normalise(samples), normaliser.interval(samples, distance)
        nats -= float(distribution.log_prob(values).double().sum())
        bits += float(code_length_bits(distribution, values, *intervals).sum())
        count += len(samples)
    return Figures(nats / count, bits / count)
