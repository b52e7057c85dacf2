"""Progress of a training in another process, read from the journal of its run folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.common.text import duration
from pipeline.config.training import TrainConfig
from pipeline.tracking.run_folder import RunFolder, journal_lines


@dataclass(frozen=True)
class Progress:
    """State of a training.

    Attributes:
        step: number of updates at the last line of the journal.
        epochs_done: number of finished epochs.
        fraction: of the work that is done, 0 to 1; the work ends with the last epoch or at the time limit.
        text: one sentence with epoch, negative log-likelihood, rate and the time left.
    """

    step: int
    epochs_done: int
    fraction: float
    text: str


def progress_of(run: RunFolder, config: TrainConfig) -> Progress | None:
    """Return the state of a training by its journal; None before the first line.

    Args:
        run: its folder, which another process may be writing.
        config: its settings.
    """
    if not run.journal.exists():
        return None
    data = run.journal_bytes()
    lines, _ = journal_lines(data[: data.rfind(b"\n") + 1])
    if not lines:
        return None
    figures: dict[str, float] = {}
    for line in lines:
        figures.update(line["metrics"])
    validations = [line for line in lines if "valid/nats_per_step" in line["metrics"]]
    epoch = max(figures.get("time/epoch", 0.0), float(len(validations)))
    elapsed_s = max(figures.get("time/elapsed_s", 0.0), figures.get("time/epoch_end_s", 0.0))
    fraction = epoch / config.epochs
    if config.max_minutes is not None:
        fraction = max(fraction, elapsed_s / (60 * config.max_minutes))
    fraction = min(fraction, 1.0)
    parts = _figures_text(figures, validations)
    if 0 < fraction < 1:
        parts.append(f"at most {duration(elapsed_s * (1 - fraction) / fraction)} left")
    text = f"epoch {epoch:.1f} of {config.epochs}: {', '.join(parts)}"
    return Progress(lines[-1]["step"], len(validations), fraction, text)


def _figures_text(figures: dict[str, float], validations: list[dict[str, Any]]) -> list[str]:
    """Return the figures of the last lines as parts of a sentence."""
    parts = []
    if "train/nats_per_step" in figures:
        parts.append(f"{figures['train/nats_per_step']:.5g} nats per step in training")
    if validations:
        best = min(validation_loss(line["metrics"]) for line in validations)
        parts.append(f"{figures['valid/nats_per_step']:.5g} nats per step in validation (best {best:.5g})")
    if "train/steps_per_second" in figures:
        parts.append(f"{figures['train/steps_per_second']:,.0f} steps/s")
    return parts


def validation_loss(metrics: Mapping[str, float]) -> float:
    """Return the lower loss of weights and averaged weights in a line of the journal with a validation."""
    return min(metrics["valid/nats_per_step"], metrics.get("valid/ema_nats_per_step", float("inf")))
