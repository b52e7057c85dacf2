"""Baselines of frames of real numbers: one Gaussian for each bin, and the frame before as the mean."""

import torch
from torch import Tensor
from torch.distributions import Normal

from pipeline.evaluation.baseline import Comparison, Figures
from pipeline.features.representation import Representation


def are_frames(representation: Representation) -> bool:
    """Whether rows are frames of real numbers, neither samples nor notes."""
    return not representation.rows_are_samples and representation.notes is None


def fixed_gaussian(comparison: Comparison) -> Figures:
    """Return the figures of one Gaussian for each bin, with the moments of the training split."""
    normaliser = comparison.normaliser()
    total, values = torch.zeros((), dtype=torch.float64), 0
    for rows in comparison.scored():
        frames = normaliser.normalise(rows)
        total -= Normal(0.0, 1.0).log_prob(frames).double().sum()
        values += frames.numel()
    return Figures(float(total / values), None)


def last_frame(comparison: Comparison) -> Figures:
    """Return the figures of a Gaussian around the previous frame, with each bin's changes as its scale."""
    normaliser, scale = comparison.normaliser(), _change_scale(comparison)
    total, values = torch.zeros((), dtype=torch.float64), 0
    for rows in comparison.scored():
        frames = normaliser.normalise(rows)
        before = torch.cat([torch.zeros_like(frames[:1]), frames[:-1]])
        total -= Normal(before, scale).log_prob(frames).double().sum()
        values += frames.numel()
    return Figures(float(total / values), None)


def _change_scale(comparison: Comparison) -> Tensor:
    """Standard deviation (D,) of the change from frame to frame in the training split."""
    dataset, normaliser = comparison.dataset, comparison.normaliser()
    squares, count = torch.zeros(normaliser.mean.shape[0], dtype=torch.float64), 0
    for rows in comparison.train():
        steps = normaliser.normalise(rows).double().diff(dim=0)
        squares += steps.square().sum(0)
        count += len(steps)
    floor = dataset.representation.quantisation_step(dataset.normalisation)
    return (squares / max(count, 1)).sqrt().clamp(min=floor).float()
