"""Timings of small models: one alone, several whose updates are computed together, and a plain PyTorch loop.

One thread computes. The rounds of the ways alternate, and medians of their ratios are compared. Inputs are
random notes: the time of an update does not depend on them.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch

from models.distributions.notes import BernoulliHead
from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack
from pipeline.benchmarks.models import on_threads
from pipeline.benchmarks.plain_loop import plain_update
from pipeline.benchmarks.timing import alternating_seconds
from pipeline.config.inputs import PianoRollConfig
from pipeline.data.batching import Batch
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from pipeline.model.likelihood import training_losses
from pipeline.training.optimiser import clip_gradients, step_all

ROUNDS = 15
PLAIN_UPDATES = 3
"""Updates of the plain loop in a round; of the other ways, as many as there are models."""
NOTES, SOUNDING, STEPS = 88, 0.05, 200
SIZES = {"gru": 46, "lstm": 36, "tanh": 100}
"""Units of the models of music of Chung et al. (2014)."""


def bench_together(models: int) -> dict[str, Any]:
    """Measure updates of models of music on one sequence of 200 steps.

    Args:
        models: number of models that are trained together.

    Returns:
        ``rows``: for each cell its ``units``, the time of a plain update over that of one model alone
        (``alone_times_plain``) and over that of one of several (``together_times_plain``), and the time
        alone over that of one of several (``together_times_alone``).
    """
    with on_threads(1):
        rows = [
            {"cell": cell, "units": units, **_ratios(cell, units, models)} for cell, units in SIZES.items()
        ]
    return {
        "what": f"{models} models, 1 sequence of {STEPS} steps of {NOTES} notes, one thread",
        "rows": rows,
    }


def _ratios(cell: str, units: int, models: int) -> dict[str, float]:
    batches = [_random_batch() for _ in range(models)]
    alone, together = (_updates([_network(cell, units) for _ in range(models)], batches) for _ in range(2))
    plain = _network(cell, units)
    optimizer = torch.optim.Adam(plain.parameters())

    def some_plain() -> None:
        for _ in range(PLAIN_UPDATES):
            plain_update(plain, optimizer, batches[0].inputs, batches[0].targets)

    def each_alone() -> None:
        for number in range(models):
            alone([number])

    ways = some_plain, each_alone, lambda: together(range(models))
    seconds = alternating_seconds(ROUNDS, *ways, warm_up=2)
    counts = PLAIN_UPDATES, models, models
    plain_s, alone_s, together_s = (
        [time / count for time in times] for times, count in zip(seconds, counts, strict=True)
    )
    return {
        "alone_times_plain": _median_ratio(plain_s, alone_s),
        "together_times_plain": _median_ratio(plain_s, together_s),
        "together_times_alone": _median_ratio(alone_s, together_s),
        "milliseconds_together": 1000 * statistics.median(together_s),
    }


def _median_ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def _network(cell: str, units: int) -> Predictor:
    return Predictor(NOTES, RecurrentStack(cell, NOTES, units), BernoulliHead(units, NOTES))


def _random_batch() -> Batch:
    inputs, targets = (torch.rand(2, 1, STEPS, NOTES) < SOUNDING).float()
    lanes = torch.zeros(1, dtype=torch.long)
    return Batch(inputs, targets, targets, None, targets.numel(), lanes.bool(), lanes)


def _updates(networks: Sequence[Predictor], batches: Sequence[Batch]) -> Callable[[Sequence[int]], None]:
    """Return a function that updates the networks of these numbers together, as the training does it."""
    optimizers = [torch.optim.Adam(network.parameters(), fused=True) for network in networks]
    normaliser = Normaliser(
        representation_of(PianoRollConfig(kind="piano-roll")),
        Normalisation((0.0,), (1.0,)),
        torch.device("cpu"),
    )
    states = [network.initial_state(1) for network in networks]

    def run(numbers: Sequence[int]) -> None:
        chosen = [networks[number] for number in numbers]
        own = [batches[number] for number in numbers]
        before = [states[number] for number in numbers]
        found = training_losses(chosen, own, before, normaliser, False, [float(STEPS)] * len(chosen))
        for number in numbers:
            optimizers[number].zero_grad(set_to_none=True)
        torch.autograd.backward([loss for loss, _ in found])
        weights = [optimizers[number].param_groups[0]["params"] for number in numbers]
        clip_gradients(weights, [1.0] * len(chosen))
        step_all([optimizers[number] for number in numbers])
        torch.stack([loss.detach() for loss, _ in found]).tolist()

    return run
