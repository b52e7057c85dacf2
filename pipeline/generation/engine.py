"""The choice between compiled loops and torch for free running."""

from pipeline.generation.free_running import FreeRun, Rows
from pipeline.generation.options import Sampling
from pipeline.model.trained_model import TrainedModel


def free_run(model: TrainedModel, rows: Rows, sampling: Sampling) -> FreeRun:
    """The model after ``rows`` (N, width), ready to go on: compiled where it can be, else in torch."""
    if model.compiled is not None:
        from pipeline.generation.free_running_compiled import CompiledFreeRun

        return CompiledFreeRun(model, rows, sampling)
    from pipeline.generation.free_running_torch import TorchFreeRun

    return TorchFreeRun(model, rows, sampling)
