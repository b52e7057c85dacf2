"""Choice between compiled loops and torch for free running."""

from pipeline.common.progress import progress_bar
from pipeline.generation.free_running import FreeRun, Rows
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel

ONE_TAKE = SamplingOptions()


def free_run(model: TrainedModel, rows: Rows, sampling: SamplingOptions = ONE_TAKE) -> FreeRun:
    """Condition the model on a recording, and return a free run, compiled if possible, else in torch.

    The first call on a machine compiles for some seconds.

    Args:
        model: any trained model.
        rows: the recording's stored rows (N, width).
        sampling: number of takes and options of the draws.
    """
    with progress_bar("") as bar:
        bar.add_task("read", total=None, note="")
        if model.compiled is not None:
            from pipeline.generation.free_running_compiled import CompiledFreeRun

            return CompiledFreeRun(model, rows, sampling)
        from pipeline.generation.free_running_torch import TorchFreeRun

        return TorchFreeRun(model, rows, sampling)
