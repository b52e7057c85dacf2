"""Choice between compiled loops and torch for free running."""

from pipeline.common.progress import progress_bar
from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.free_running import FreeRun
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel

ONE_TAKE = SamplingOptions()


def free_run(
    model: TrainedModel, context: Rows | ContextRows, sampling: SamplingOptions = ONE_TAKE
) -> FreeRun:
    """Condition the model on a recording, and return a free run, compiled if possible, else in torch.

    The first call on a machine compiles for some seconds.

    Args:
        model: any trained model.
        context: the recording's stored rows (N, width), in memory or in blocks.
        sampling: number of takes and options of the draws.

    Raises:
        UserError: nothing can be drawn from the model.
    """
    model.require_draws()
    with progress_bar("") as bar:
        bar.add_task("read", total=None, note="")
        if model.compiled is not None:
            from pipeline.generation.free_running_compiled import CompiledFreeRun

            return CompiledFreeRun(model, context, sampling)
        from pipeline.generation.free_running_torch import TorchFreeRun

        return TorchFreeRun(model, context, sampling)
