"""Epochs of a training on a GPU. The host launches updates, and reads what came of them now and then."""

import time
from collections.abc import Callable, Iterator
from itertools import count

from models.distributions.notes import NadeHead
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.gpu_kernels import operations
from pipeline.data.batching import Plan
from pipeline.errors import print_notice
from pipeline.training.begin import epoch_plan, write_checkpoint
from pipeline.training.gpu.captured import CapturedUpdate
from pipeline.training.gpu.update import DeviceUpdate
from pipeline.training.gpu.verification import why_untrusted
from pipeline.training.step import SKIPS_BEFORE_ROLLBACK, Training, log, log_every, out_of_time, roll_back

SHORTEST_LOG_S = 1.0
"""Least time between two points of the training curve, in seconds: each waits for the device."""
SHORTEST_CHECKPOINT_S = 30.0
"""Least time between two checkpoints within an epoch, in seconds."""


def why_host(training: Training) -> str | None:
    """Return why the host takes part in each update of a training; None where it does not."""
    if training.device.type != "cuda":
        return f"the device is {training.device.type}"
    if training.ranks.size > 1:
        return "several ranks join their gradients"
    if training.data.rows.device.type != "cuda":
        return "the rows do not fit on the device"
    if training.framing.adaptive:
        return "the adaptive predictions lie in a table on the host"
    if isinstance(training.network, EncoderDecoder):
        return "the layout of an encoder-decoder's blocks depends on values"
    if isinstance(training.network.head, NadeHead):
        return "the number of rounds of NADE depends on values"
    return None


class DeviceEpochs:
    """The epochs of a training whose updates run on the device alone.

    Args:
        training: see `why_host`.
        show: called with a text after each reading, for the progress bar.
    """

    def __init__(self, training: Training, show: Callable[[str | None], None]) -> None:
        self.training = training
        self.show = show
        self.updates: CapturedUpdate | None = None
        self.logged_s = self.saved_s = time.monotonic()

    def __call__(self, plan: Plan) -> Iterator[None]:
        """Do the updates of a plan, from the training's position on; yield after each is launched."""
        training, position = self.training, self.training.position
        updates = self._updates(plan)
        began = time.monotonic()
        while position.update < len(plan) and not out_of_time(training):
            updates()
            position.update += 1
            position.total_updates += 1
            now = time.monotonic()
            position.elapsed_s += now - began
            began = now
            save = self._due(training.config.checkpoint_updates, now - self.saved_s, SHORTEST_CHECKPOINT_S)
            if self._due(log_every(training), now - self.logged_s, SHORTEST_LOG_S):
                self._read(updates.update)
                self.show(log(training))
                self.logged_s = now
            elif save:
                self._read(updates.update)
            if save and not position.skipped_in_row:
                write_checkpoint(training)
                self.saved_s = now
            left = time.monotonic()
            yield
            began += time.monotonic() - left  # which other trainings of this process took
        self._read(updates.update)

    def endless(self) -> Iterator[None]:
        """Yield after each update of an endless training that neither logs nor saves, for benchmarks."""
        position = self.training.position
        for epoch in count():
            plan = epoch_plan(self.training, epoch)
            position.update = 0
            updates = self._updates(plan)
            for _ in range(len(plan)):
                updates()
                position.update += 1
                position.total_updates += 1
                yield
            updates.update.read()

    def _updates(self, plan: Plan) -> CapturedUpdate:
        """Put a plan on the device, and return the updates, which are recorded in the first epoch."""
        if self.updates is not None:
            self.updates.update.begin_epoch(plan)
            return self.updates
        update = DeviceUpdate(self.training, plan)
        update.begin_epoch(plan)
        facts = {"update_loop": "one CUDA graph"}
        if reason := why_untrusted(update):
            operations.turn_off()
            print_notice(f"training runs without Triton's kernels: {reason}")
            facts |= {"head_kernels": f"torch: {reason}", "recurrent_kernels": f"torch: {reason}"}
        self.updates = CapturedUpdate(update)
        if not self.updates.is_replayed:
            facts["update_loop"] = "on the device, without a graph"
        self.training.folder.set_status("running", **facts)
        return self.updates

    def _due(self, every: int, since_s: float, shortest_s: float) -> bool:
        return self.training.position.total_updates % every == 0 and since_s >= shortest_s

    def _read(self, update: DeviceUpdate) -> None:
        """Read what happened on the device, and return to the last checkpoint after many skipped updates."""
        update.read()
        lasting = self.training.position.skipped_in_row >= SKIPS_BEFORE_ROLLBACK
        if lasting:
            roll_back(self.training)
        if lasting or self.training.config.max_minutes is not None:
            update.place()
