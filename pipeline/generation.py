"""Continuing recordings: warm the state on what was heard, then let the model hear itself.

Each step's outputs are drawn, rounded to what a sample can be, and fed back: the model hears exactly what
the listener will.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from models.mixture import Mixture
from models.recurrent import State
from pipeline.artifacts import TrainedModel
from pipeline.audio import to_int16
from pipeline.batching import batches, whole_plan
from pipeline.config_input import SpectrogramConfig
from pipeline.dataset import SplitRows
from pipeline.devices import one_thread
from pipeline.features import analysis, rows_of_blocks
from pipeline.progress import progress_bar
from pipeline.scoring import CHUNK_STEPS

DATA_STD = 1.0
"""Of normalised values, by their definition."""

SEAM_FRAMES = 8
"""Frames before the seam that take part in the inversion of a spectrogram, so that its phase runs through."""


@torch.inference_mode()
def warm_state(model: TrainedModel, rows: Tensor) -> tuple[State, Tensor]:
    """Run over rows (N, width) as stored.

    Up to ``hop - 1`` rows at the beginning are left out, so that the last step ends with the last row.

    Returns:
        The state after the last row, and the window (window, width) of normalised values that the next step
        sees.
    """
    frames, normaliser = model.framing, model.normaliser()
    rows = rows[len(rows) % frames.hop :]
    one = SplitRows(rows, torch.zeros(1, dtype=torch.long), torch.tensor([len(rows)]))
    state = model.network.initial_state(1)
    steps = np.array([frames.steps(len(rows))])
    for batch in batches(whole_plan(steps, 1, CHUNK_STEPS), one, frames, normaliser) if len(rows) else ():
        inputs = batch.inputs[:, : batch.values // frames.target_size]
        state = model.network.advance(inputs, state)
    heard = normaliser.normalise(rows[-frames.window :].to(model.device))
    padding = torch.zeros(frames.window - len(heard), frames.width, device=model.device)
    return state, torch.cat([padding, heard])


@torch.inference_mode()
def generate_rows(
    model: TrainedModel,
    state: State,
    window: Tensor,
    count: int,
    temperature: float,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Draw ``count`` rows in blocks (hop, width) as stored, beginning after ``window`` (window, width).

    Sound is kept from growing louder than the training split (see `pipeline.loudness`), and nothing is drawn
    with a standard deviation above that of the data: a model that hears what it never heard in training says
    that anything may come, and anything is what it would then hear next.
    """
    frames, normaliser = model.framing, model.normaliser()
    guard = model.level_guard()
    for _ in range(frames.steps(count)):
        distribution, state = model.network.step(window.reshape(1, -1), state)
        limits = {"widest": DATA_STD} if isinstance(distribution, Mixture) else {}
        drawn = distribution.sample(temperature, generator, **limits)
        values = drawn.view(frames.hop, frames.width)
        rows = normaliser.restore(guard(values) if guard else values)
        yield rows
        window = torch.cat([window, normaliser.normalise(rows)])[-frames.window :]


def continue_rows(
    model: TrainedModel, rows: Tensor, count: int, temperature: float = 1.0, seed: int = 0
) -> Tensor:
    """The ``count`` rows (count, width) that follow ``rows`` (N, width), both as stored."""
    generator = torch.Generator(model.device).manual_seed(seed)
    blocks = []
    with one_thread(), progress_bar("steps") as bar:
        state, window = warm_state(model, rows)
        task = bar.add_task("predict", total=model.framing.steps(count), note="")
        for block in generate_rows(model, state, window, count, temperature, generator):
            blocks.append(block.cpu())
            bar.advance(task)
    return torch.cat(blocks)[:count] if blocks else rows[:0]


def continue_samples(
    model: TrainedModel, samples: np.ndarray, seconds: float, temperature: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Continue a recording.

    Args:
        model: of any kind; the continuation of a spectrogram is made audible by Griffin-Lim.
        samples: (N,) int16, mono, at the model's sample rate.
        seconds: how much to add.
        temperature: 1 draws from the model's distribution, 0 takes the most likely.
        seed: the same seed gives the same continuation on the same device.

    Returns:
        (round(seconds * sample_rate),) int16.
    """
    config = model.audio
    wanted = round(seconds * config.sample_rate)
    rows = heard_rows(model, samples)
    if not isinstance(config, SpectrogramConfig):
        return continue_rows(model, rows, wanted, temperature, seed)[:, 0].numpy()
    # A frame that reaches past the end has heard silence there: it is predicted, too, and so is what lies
    # between its centre and the end.
    rows = rows[: max(0, 1 + (len(samples) - config.window_length // 2) // config.hop_length)]
    late = len(samples) - len(rows) * config.hop_length
    continuation = continue_rows(model, rows, -(-(late + wanted) // config.hop_length), temperature, seed)
    return frames_to_samples(config, rows, continuation, seed)[late : late + wanted]


def heard_rows(model: TrainedModel, samples: np.ndarray) -> Tensor:
    """The rows (N, width) that the model's data set would store for these int16 samples."""
    blocks = list(rows_of_blocks(model.audio, [samples]))
    return torch.from_numpy(np.concatenate(blocks))


def frames_to_samples(config: SpectrogramConfig, heard: Tensor, predicted: Tensor, seed: int) -> np.ndarray:
    """Sound (M,) int16 for predicted frames (T, D) that follow heard ones, M >= T * hop_length."""
    before = heard[-SEAM_FRAMES:]
    frames = torch.cat([before.float(), predicted.float(), predicted[-1:].float()])
    sound = analysis(config).invert(frames, seed=seed)
    return to_int16(sound[len(before) * config.hop_length :].numpy())
