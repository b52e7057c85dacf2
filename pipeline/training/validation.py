"""Validation at the end of an epoch, and the choice of the weights that are kept."""

from pipeline.data.dataset import split_rows
from pipeline.evaluation.nll import score
from pipeline.training.checkpoint import save_tensors
from pipeline.training.step import Training


def validate(training: Training) -> dict[str, float]:
    """Return the validation losses of the weights and of their average, and keep the best weights so far.

    Args:
        training: the running training, at the end of an epoch.

    Returns:
        Nats per step by the name of the figure in the journal.
    """
    figures = {"valid/nats_per_step": validation_nats(training)}
    keep_if_best(training, figures["valid/nats_per_step"])
    if training.average:
        with training.average.applied(training.network):
            figures["valid/ema_nats_per_step"] = validation_nats(training)
            keep_if_best(training, figures["valid/ema_nats_per_step"], is_average=True)
    return figures


def validation_nats(training: Training) -> float:
    """Return the loss of the network's present weights on the validation split, in nats per step."""
    scores = score(
        training.network,
        split_rows(training.dataset, "valid", training.device),
        training.framing,
        training.normaliser,
        exact=False,
        discrete=training.config.loss == "discrete",
    )
    return scores.nats_per_step


def validation_bits(training: Training, valid: float) -> dict[str, float]:
    """Return validation bits per sample of integer samples, by density or, if that is trained, exactly.

    Args:
        training: the running training.
        valid: validation loss, in nats per step.
    """
    per_value = valid / training.framing.target_size
    bits = training.dataset.representation.bits_per_sample(per_value, training.normalisation)
    kind = "discrete" if training.config.loss == "discrete" else "density"
    return {} if bits is None else {f"valid/{kind}_bits_per_sample": bits}


def keep_if_best(training: Training, valid: float, is_average: bool = False) -> None:
    """Write the network's present weights as the best ones if their loss is the lowest so far.

    Args:
        training: the running training; its position notes the loss and the epoch.
        valid: validation loss of the weights, in nats per step.
        is_average: whether they are the averaged weights.
    """
    position = training.position
    if valid < position.best_valid:
        position.best_valid, position.best_epoch = valid, position.epoch
        position.best_is_average = is_average
        save_tensors(training.folder.best_checkpoint, {"weights": training.network.state_dict()})
        if not position.total_updates:
            position.start_valid = valid
