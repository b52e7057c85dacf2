"""Trial of a model on a few seconds of audio: code length, and use of its components and units."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.distributions.correlated_mixtures import AutoregressiveMixture
from models.distributions.mixture import Mixture, select_component
from models.distributions.stability import is_stable
from pipeline.audio.decode import open_decoding
from pipeline.data.dataset import Dataset, SplitRows, open_dataset
from pipeline.errors import RecordingRejected, UserError
from pipeline.evaluation.baselines import baselines
from pipeline.evaluation.nll import predictions, score
from pipeline.model.trained_model import TrainedModel

TRIAL_S = 20.0
"""Total duration of the audio of a trial, in seconds."""
RECORDINGS = 8
LINEAR_ORDER = 32
AT_FLOOR = 1.1  # of the floor
NEVER = 1e-3  # largest weight of an unused component
STILL = 1e-4  # range of the output of an unused unit
TRIED_PREDICTORS = 400


@dataclass(frozen=True)
class Trial:
    """Results of a trial: code lengths of the model and the baselines, and the use of the model's parts.

    ``floored`` is the share of the outputs' scales at their floor, weighted by their components; ``constant``
    that of outputs that equal the one before; ``unstable`` that of unstable predictors among the chosen ones.
    """

    where: str
    unit: str
    own: float
    baselines: dict[str, float]
    components: int = 0
    unused: int = 0
    floored: float = 0.0
    constant: float = 0.0
    unstable: float | None = None
    units: int = 0
    still: int = 0

    def figures(self) -> dict[str, Any]:
        """Return the results as a dictionary for JSON."""
        return asdict(self)


@dataclass
class _Use:
    """Sums over the steps of a trial."""

    steps: int = 0
    weight: Tensor | None = None  # (K,) largest
    floored: float = 0.0
    predictors: list[Tensor] = field(default_factory=list)
    low: Tensor | None = None  # (H,)
    high: Tensor | None = None


def run_on_sounds(model: TrainedModel, sounds: Sequence[Path]) -> Trial:
    """Run a model on the beginnings of recordings.

    Args:
        model: model of sound.
        sounds: paths of recordings, of which the first few are used.

    Returns:
        What was measured.

    Raises:
        UserError: none of the recordings can be used.
    """
    audio, rejections, rows = model.audio, [], []
    for path in sounds[:RECORDINGS]:
        try:
            blocks = _beginning(path, audio.sample_rate, TRIAL_S / min(len(sounds), RECORDINGS))
        except (RecordingRejected, OSError) as problem:
            rejections.append(f"{path}: {problem}")
            continue
        rows.append(np.concatenate(list(audio.rows_of_blocks([blocks]))))
    if not rows:
        raise UserError(rejections[0])
    names = f"{sounds[0]}" if len(rows) == 1 else f"{len(rows)} of the named recordings"
    return _run(model, rows, f"the first seconds of {names}")


def run_on_dataset(model: TrainedModel, path: Path) -> Trial:
    """Run a model on the beginnings of recordings of its validation split.

    Args:
        model: any trained model.
        path: the prepared data set.

    Returns:
        What was measured.

    Raises:
        UserError: the data set cannot be opened, or its validation split is empty.
    """
    dataset = open_dataset(path, model.input)
    chosen = dataset.require("valid")[:RECORDINGS]
    most = max(1, int(TRIAL_S * model.row_rate_hz / len(chosen)))
    rows = [dataset.recording_rows(int(index))[:most].numpy() for index in chosen]
    return _run(model, rows, "recordings that it was validated on")


def _beginning(path: Path, sample_rate: int, seconds: float) -> np.ndarray:
    """Return the first ``seconds`` of a recording, or all of a shorter one: (N,) int16."""
    wanted, blocks, count = int(seconds * sample_rate), [], 0
    with open_decoding(path) as recording:
        for block in recording.blocks(sample_rate):
            blocks.append(block)
            count += len(block)
            if count >= wanted:
                break
    return np.concatenate(blocks)[:wanted]


def _run(model: TrainedModel, recordings: Sequence[np.ndarray], where: str) -> Trial:
    lengths = torch.tensor([len(rows) for rows in recordings])
    data = SplitRows(
        torch.from_numpy(np.concatenate(recordings)), torch.cumsum(lengths, 0) - lengths, lengths
    )
    exact = model.normaliser().quantised
    scores = score(model.network, data, model.framing, model.normaliser(), exact=exact)
    table = _baselines(model, data)
    if exact:
        own, unit = float(scores.bits_per_sample or 0.0), "bits per sample"
        found = {name: line.bits for name, line in table.items()}
    else:
        own, unit = scores.nats_per_step, "nats per step"
        found = {n: None if x.nats is None else x.nats * model.framing.target_size for n, x in table.items()}
    known = {name: value for name, value in found.items() if value is not None}
    changes = np.concatenate([np.diff(rows, axis=0).reshape(-1) for rows in recordings])
    constant = float((changes == 0).mean()) if len(changes) else 0.0
    return Trial(where, unit, own, known, constant=constant, **_use(model, data))


def _baselines(model: TrainedModel, data: SplitRows) -> Any:
    """Return baselines fitted on the scored recordings, which favours the baselines."""
    count = len(data.length)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset(
            Path(folder) / "dataset.json",
            "",
            model.input,
            model.normalisation,
            data.rows.numpy(),
            data.offset.numpy(),
            data.length.numpy(),
            ["train"] * count,
            ["trial"] * count,
            ["trial"] * count,
        )
        return baselines(dataset, "train", LINEAR_ORDER)


@torch.inference_mode()
def _use(model: TrainedModel, data: SplitRows) -> dict[str, Any]:
    """Return how the components and units of the network are used over ``data``."""
    network, use = model.network, _Use()
    head = network.head
    floor = float(getattr(head, "scale_floor", 0.0))

    def record_range(_: Any, arguments: tuple[Tensor, ...]) -> None:
        hidden = arguments[0].reshape(-1, arguments[0].shape[-1])
        low, high = hidden.amin(0), hidden.amax(0)
        use.low = low if use.low is None else torch.minimum(use.low, low)
        use.high = high if use.high is None else torch.maximum(use.high, high)

    handle = head.register_forward_pre_hook(record_range)
    try:
        run = predictions(network, data, model.framing, model.normaliser(), lanes=RECORDINGS)
        for batch, distribution in run:
            use.steps += batch.inputs.shape[0] * batch.inputs.shape[1]
            if isinstance(distribution, Mixture):
                _note(use, distribution, floor)
    finally:
        handle.remove()
    used: dict[str, Any] = {}
    if use.weight is not None:
        used = {"components": len(use.weight), "unused": int((use.weight < NEVER).sum())}
        used["floored"] = use.floored / use.steps
    if use.predictors:
        rows = torch.cat(use.predictors)
        few = rows[:: max(1, len(rows) // TRIED_PREDICTORS)].tolist()
        used["unstable"] = sum(not is_stable(row) for row in few) / len(few)
    if use.low is not None and use.high is not None:
        used |= {"units": len(use.low), "still": int((use.high - use.low < STILL).sum())}
    return used


def _note(use: _Use, mixture: Mixture, floor: float) -> None:
    weight = torch.softmax(mixture.logits, -1).reshape(-1, mixture.logits.shape[-1])
    largest = weight.amax(0)
    use.weight = largest if use.weight is None else torch.maximum(use.weight, largest)
    low = (mixture.scale < AT_FLOOR * floor).float().mean(-1).reshape(weight.shape)
    use.floored += float((weight * low).sum())
    if isinstance(mixture, AutoregressiveMixture):
        chosen = select_component(mixture.coefficients, mixture.logits.argmax(-1))
        use.predictors.append(chosen.reshape(-1, chosen.shape[-1])[::8])
