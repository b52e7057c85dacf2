"""The choice between compiled loops and torch for free running."""

from pipeline.common.progress import progress_bar
from pipeline.generation.free_running import FreeRun, Rows
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel

ONE_TAKE = SamplingOptions()


def free_run(model: TrainedModel, rows: Rows, sampling: SamplingOptions = ONE_TAKE) -> FreeRun:
    """Return the model conditioned on ``rows`` (N, width) as stored: compiled where it can be, else in torch.

    The first time on a machine, compiling takes some seconds.
    """
    with progress_bar("") as bar:
        bar.add_task("hear", total=None, note="")
        if model.compiled is not None:
            from pipeline.generation.free_running_compiled import CompiledFreeRun

            return CompiledFreeRun(model, rows, sampling)
        from pipeline.generation.free_running_torch import TorchFreeRun

        return TorchFreeRun(model, rows, sampling)
