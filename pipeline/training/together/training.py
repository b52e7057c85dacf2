"""Training of several run folders in one process."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pipeline.common.progress import progress_bar
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.errors import UserError, print_notice, reason_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin
from pipeline.training.gpu.epochs import why_host
from pipeline.training.loop import TrainedElsewhere, alone, note_failure, updates_of
from pipeline.training.rounds import Course, Updates, run_rounds
from pipeline.training.step import Training, draws_numbers
from pipeline.training.together.turn import Turn


def train_together(
    folders: Sequence[RunFolder],
    on_checkpoint: Callable[[int, int], None] = lambda number, covered: None,
    on_end: Callable[[int], None] = lambda number: None,
) -> None:
    """Train the models of run folders of one size, each from its last checkpoint if there is one.

    A training that fails is reported and noted in its folder, and the others go on. One whose end is
    requested (`RunFolder.end_request`) ends after its epoch.

    Args:
        folders: of trainings that `pipeline.training.together.groups` puts together. Finished runs are not
            changed.
        on_checkpoint: called at a checkpoint with the number of the folder, and the number of bytes of its
            journal that are final.
        on_end: called with the number of a folder whose training has ended, however it did.
    """
    with ExitStack() as locks, progress_bar("updates") as bar:
        courses, opened = [], dict[tuple[Path, str], Dataset]()
        for number, folder in enumerate(folders):
            try:
                locks.enter_context(alone(folder))
                if folder.status()["status"] != "finished":
                    report = None if bar.disable else partial(_print_of, bar.console.print, folder)
                    training = _begun(folder, partial(on_checkpoint, number), opened)
                    updates = updates_of(training, folder.config(), lambda note: None, report)
                    own = _until_requested(training, updates, partial(on_end, number))
                    courses.append(Course(training, own))
            except UserError as problem:
                _note(folder, problem)
                on_end(number)
        trainings = [course.training for course in courses]
        total = sum(training.total_updates for training in trainings)
        task = bar.add_task("train", total=total, note=f"{len(trainings)} models", completed=0)

        def show() -> None:
            bar.update(task, completed=sum(training.position.total_updates for training in trainings))

        def on_failure(course: Course, problem: UserError) -> None:
            _note(course.training.folder, problem)
            on_end(folders.index(course.training.folder))

        run_rounds(courses, show, on_failure)


def _begun(
    folder: RunFolder, on_checkpoint: Callable[[int], None], opened: dict[tuple[Path, str], Dataset]
) -> Training:
    """Return a training at its last checkpoint, with a turn of its own.

    Args:
        folder: its run folder.
        on_checkpoint: called at its checkpoints.
        opened: data sets that are open, to which its own is added: each is verified once.
    """
    config = folder.config()
    folder.end_request.unlink(missing_ok=True)
    data = folder.dataset, config.input.model_dump_json()
    if data not in opened:
        opened[data] = open_dataset(folder.dataset, config.input)
    training = begin(config, opened[data], folder, on_checkpoint)
    by_host = why_host(training) is not None
    own_stream = not by_host and not config.train.weight_noise and not draws_numbers(training.network)
    training.turn = Turn(training.device, own_stream, draws_on_device=by_host)
    return training


def _until_requested(training: Training, updates: Updates, on_end: Callable[[], None]) -> Updates:
    """Yield the updates of a training to its end, or to the end of the epoch in which that is requested."""
    found, epoch = None, training.position.epoch
    while True:
        try:
            pending = updates.send(found)
        except StopIteration:
            break
        if training.position.epoch != epoch:
            epoch = training.position.epoch
            if training.folder.end_request.exists():
                training.folder.end_request.unlink(missing_ok=True)
                break
        found = yield pending
    on_end()


def _print_of(print_line: Callable[[str], None], folder: RunFolder, text: str) -> None:
    print_line(f"{folder.path.name}: {text}")


def _note(folder: RunFolder, problem: UserError) -> None:
    """Report why a training failed, and note it in its folder unless another process has that."""
    print_notice(f"{folder.path.name}: {reason_of(problem).removeprefix(f'{folder.path}: ')}")
    if not isinstance(problem, TrainedElsewhere):
        note_failure(folder, problem)
