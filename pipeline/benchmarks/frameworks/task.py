"""What every method trains on and is scored on, as files that another interpreter can read.

All methods receive the same normalised samples, so their densities have one unit. A window holds ``lead``
samples that are only read, then whole steps. Training windows follow one another through each recording.
Of a held-out window, the first steps are context as well, and the others are scored given all samples
before them in the window.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SETTINGS, WINDOWS = "task.json", "windows.npz"


@dataclass(frozen=True)
class Settings:
    """Settings that all methods share, as far as a framework has them.

    Attributes:
        cell: `gru` or `lstm`.
        hidden_size: units of the one layer.
        covariance: of the mixture; only wavecast has another than `diagonal`.
        components: Gaussians of the mixture.
        scale_floor: smallest standard deviation, in units of the normalised samples.
        window: samples before a step that it reads.
        lead: samples before the first step of a window, at least ``window``.
        hop: samples of a step.
        context: samples of a held-out window, after ``lead``, that are not scored.
        batch_size: windows in an update.
        learning_rate: of Adam, constant.
        clip_norm: largest norm of the gradient.
        seed: of weights and order.
        seconds: processor time of the training.
    """

    cell: str
    hidden_size: int
    covariance: str
    components: int
    scale_floor: float
    window: int
    lead: int
    hop: int
    context: int
    batch_size: int
    learning_rate: float
    clip_norm: float
    seed: int
    seconds: float


@dataclass(frozen=True)
class Task:
    """A training with its data.

    Attributes:
        folder: where the task lies, and where the method may write.
        settings: shared by all methods.
        train: (windows, lead + T * hop) float32.
        held_out: windows of the same length from other recordings.
    """

    folder: Path
    settings: Settings
    train: np.ndarray
    held_out: np.ndarray

    @property
    def scored(self) -> int:
        """Number of samples at the end of a held-out window that are scored."""
        return int(self.held_out.shape[1]) - self.settings.lead - self.settings.context


def write_windows(folder: Path, train: np.ndarray, held_out: np.ndarray) -> None:
    """Write the data of a task, which all methods share."""
    np.savez(folder / WINDOWS, train=train, held_out=held_out)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings of the next training."""
    (folder / SETTINGS).write_text(json.dumps(asdict(settings)))


def read_task(folder: Path) -> Task:
    """Return the task that lies in a folder."""
    with np.load(folder / WINDOWS) as found:
        train, held_out = found["train"], found["held_out"]
    return Task(folder, Settings(**json.loads((folder / SETTINGS).read_text())), train, held_out)


def cut(recordings: Iterable[np.ndarray], length: int, stride: int) -> np.ndarray:
    """Return windows (windows, length) of recordings, ``stride`` apart in each; shorter rests are left out.

    Example:
        >>> cut([np.arange(5), np.arange(2)], length=3, stride=2).tolist()
        [[0, 1, 2], [2, 3, 4]]
    """
    found = [sliding_window_view(each, length)[::stride] for each in recordings if len(each) >= length]
    return np.concatenate(found) if found else np.empty((0, length), np.float32)


def steps_of(windows: np.ndarray, settings: Settings, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what each step of each window reads, (windows, T, window), and predicts, (windows, T, hop).

    Args:
        windows: (windows, lead + T * hop).
        settings: gives ``lead`` and ``hop``.
        window: samples that a step reads.
    """
    return framed(windows[:, settings.lead - window :], window, settings.hop)


def framed(windows: np.ndarray, window: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps of windows (windows, window + T * hop); see `steps_of`.

    Example:
        >>> inputs, targets = framed(np.arange(6)[None], window=2, hop=2)
        >>> inputs.tolist(), targets.tolist()
        ([[[0, 1], [2, 3]]], [[[2, 3], [4, 5]]])
    """
    inputs = sliding_window_view(windows[:, :-hop], window, axis=1)[:, ::hop]
    return inputs, windows[:, window:].reshape(len(windows), -1, hop)
