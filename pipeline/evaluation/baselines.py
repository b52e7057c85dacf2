"""What a model has to beat, computed on the same recordings, so that its figures mean something.

For samples: every value equally likely; one fixed Gaussian; a fixed linear predictor; FLAC. For spectrogram
frames: one fixed Gaussian for each bin; the last frame again. For notes: each one's frequency; the last
frame again. All are fitted on the training split only.
"""

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch

from models.distributions.mixture import DiagonalMixture
from pipeline.audio.linear_prediction import LinearPredictor, fit_linear_predictor
from pipeline.audio.pcm import INT16_SCALE
from pipeline.common.files import read_json, write_json
from pipeline.config.types import Split
from pipeline.data.dataset import Dataset
from pipeline.evaluation.nll import code_length_bits
from pipeline.evaluation.note_baselines import note_baselines
from pipeline.features.normaliser import Normaliser
from pipeline.music.midi import KEYS

BLOCK = 1 << 18
"""Values scored at a time, so that memory stays flat."""


@dataclass(frozen=True)
class Baseline:
    """Averages per predicted value: nats of the normalised density, and bits of exact code length."""

    nats: float | None
    bits: float | None


def baselines(dataset: Dataset, split: Split, linear_order: int) -> dict[str, Baseline]:
    """All baselines for a split, by name; kept beside the data set, since every model shares them.

    Raises `UserError` where the split or the training split is empty.
    """
    path = dataset.path.parent / f"baselines-{split}-{linear_order}.json"
    if path.exists():
        return {name: Baseline(**found) for name, found in read_json(path, "table of baselines").items()}
    dataset.require(split)
    dataset.require("train")
    if dataset.representation.rows_are_samples:
        table = _waveform_baselines(dataset, split, linear_order)
    elif dataset.representation.notes is not None:
        table = _note_baselines(dataset, split)
    else:
        table = _frame_baselines(dataset, split)
    write_json(path, {name: asdict(baseline) for name, baseline in table.items()})
    return table


def _note_baselines(dataset: Dataset, split: Split) -> dict[str, Baseline]:
    train, scored = (
        [dataset.recording_rows(i).numpy() for i in dataset.require(s)] for s in ("train", split)
    )
    found = note_baselines(train, scored)
    return {name: Baseline(nats_per_step / KEYS, None) for name, nats_per_step in found.items()}


def _waveform_baselines(dataset: Dataset, split: Split, order: int) -> dict[str, Baseline]:
    recordings = [dataset.recording_rows(i)[:, 0].numpy() for i in dataset.require(split)]
    train = (dataset.recording_rows(i)[:, 0].numpy() for i in dataset.require("train"))
    normaliser = Normaliser(dataset.representation, dataset.normalisation, torch.device("cpu"))
    std = dataset.normalisation.std[0]
    audio = dataset.representation.sound
    assert audio is not None
    return {
        "uniform": Baseline(math.log(2 * INT16_SCALE * audio.unit / std), 16.0),
        "fixed Gaussian": _fixed_gaussian(recordings, normaliser),
        f"linear predictor ({order})": _linear(fit_linear_predictor(train, order), recordings, normaliser),
        "FLAC": Baseline(None, flac_bits_per_sample(recordings, audio.sample_rate)),
    }


def _fixed_gaussian(recordings: list[np.ndarray], normaliser: Normaliser) -> Baseline:
    """One Gaussian with the mean and standard deviation of the training split."""
    zero = torch.zeros(1, 1)
    fixed = DiagonalMixture(torch.zeros(1), zero, torch.ones(1, 1))
    blocks = (b for samples in recordings for b in np.split(samples, range(BLOCK, len(samples), BLOCK)))
    return _score(((fixed, torch.from_numpy(block[:, None])) for block in blocks), normaliser)


def _linear(predictor: LinearPredictor, recordings: list[np.ndarray], normaliser: Normaliser) -> Baseline:
    """Each sample around what the preceding ones predict; the residual's scales are a fixed mixture."""
    scale = normaliser.unit / float(normaliser.std)
    shift = float(normaliser.mean / normaliser.std)
    std = torch.from_numpy(predictor.residual_std * scale)[:, None]
    logits = torch.from_numpy(np.log(predictor.residual_weight))

    def distributions() -> Iterator[tuple[DiagonalMixture, torch.Tensor]]:
        for samples in recordings:
            mean = torch.from_numpy(predictor.predict(samples) * scale - shift)[:, None, None]
            for start in range(0, len(samples), BLOCK):
                block = slice(start, start + BLOCK)
                yield DiagonalMixture(logits, mean[block], std), torch.from_numpy(samples[block, None])

    return _score(distributions(), normaliser)


def _score(scored: Iterable[tuple[DiagonalMixture, torch.Tensor]], normaliser: Normaliser) -> Baseline:
    """Average over distributions and the integer samples (N, 1) that they are asked about."""
    nats, bits, count = 0.0, 0.0, 0
    for distribution, samples in scored:
        values = normaliser.normalise(samples)
        nats -= float(distribution.log_prob(values).double().sum())
        bits += float(code_length_bits(distribution, values, samples, None, normaliser).sum())
        count += len(samples)
    return Baseline(nats / count, bits / count)


def flac_bits_per_sample(recordings: Iterable[np.ndarray], sample_rate: int) -> float:
    """FLAC at its best setting on 16-bit samples, all recordings in one stream, as libsndfile writes it."""
    import soundfile

    written, count = io.BytesIO(), 0
    rate = sample_rate if sample_rate < 1 << 16 else sample_rate // 10 * 10  # higher ones FLAC has in tens
    with soundfile.SoundFile(written, "w", rate, 1, "PCM_16", format="FLAC", compression_level=1.0) as stream:
        for samples in recordings:
            stream.write(samples)
            count += len(samples)
    return 8 * len(written.getbuffer()) / count


def _frame_baselines(dataset: Dataset, split: Split) -> dict[str, Baseline]:
    """For frames (T, D): the training split's Gaussian for each bin, and the frame before as the mean."""
    normaliser = Normaliser(dataset.representation, dataset.normalisation, torch.device("cpu"))
    squares, count = torch.zeros(normaliser.mean.shape[0], dtype=torch.float64), 0
    for index in dataset.require("train"):
        steps = normaliser.normalise(dataset.recording_rows(int(index))).double().diff(dim=0)
        squares += steps.square().sum(0)
        count += len(steps)
    floor = dataset.representation.quantisation_step(dataset.normalisation)
    change_scale = (squares / max(count, 1)).sqrt().clamp(min=floor).float()
    totals, values = torch.zeros(2, dtype=torch.float64), 0
    for index in dataset.require(split):
        frames = normaliser.normalise(dataset.recording_rows(int(index)))
        before = torch.cat([torch.zeros_like(frames[:1]), frames[:-1]])
        standard = torch.distributions.Normal(0.0, 1.0)
        totals[0] -= standard.log_prob(frames).double().sum()
        totals[1] -= torch.distributions.Normal(before, change_scale).log_prob(frames).double().sum()
        values += frames.numel()
    fixed, repeated = (totals / values).tolist()
    return {"fixed Gaussian": Baseline(fixed, None), "last frame again": Baseline(repeated, None)}
