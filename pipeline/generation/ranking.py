"""How near continuations are to their recording, by which they are ranked, and how likely a model finds them.

The likelihood ranks badly, since quiet and smooth sound is likely. Of eight takes, the likeliest was the
quietest in 26 of 48 cases, and its level was 4.1 dB from that of the true continuation. A take at random is
3.4 dB away. (Measured with an autoregressive GRU on 24 speakers that it was not trained on.) The take with
the smallest spectral distance to the end of the context was 3.3 dB away and the quietest in 13 cases. Its
spectrum was as near as the likeliest's, 7.3 dB and 7.2 dB, where a take at random is 8.7 dB away.
Typicality, the distance of a take's likelihood from that of the context, did not differ from chance.
`wavecast bench continuations` measures the rules for any model.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import INT16_SCALE
from pipeline.generation.free_running import Rows

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel

Samples = NDArray[np.int16]
Levels = NDArray[np.float64]

FRAME_S = 0.032
BANDS = 24
FLOOR_DB = -100.0
"""Lowest level of a band: digital silence would be infinitely far from all sound."""
CONTEXT_S = 3.0
"""Takes are compared with so much of the context's end: some words, so that no single sound decides."""


def spectral_distance_db(context: Samples, takes: Samples, sample_rate: int) -> NDArray[np.float64]:
    """Return how far (B,) the sound of takes (B, N) is from that of the end of their context (M,), in dB.

    Both are described by the mean and the standard deviation over time of the levels in `BANDS` bands (see
    `band_levels_db`). The distance is the root mean square of the differences over bands, those of means and
    those of deviations added as squares. It is 0 for equal sound, 1 dB for sound 1 dB louder.
    """
    expected = _profile(context[-round(CONTEXT_S * sample_rate) :], sample_rate)
    differences = np.stack([_profile(take, sample_rate) - expected for take in takes])
    distance: Levels = np.sqrt(np.square(differences).sum(1).mean(-1))
    return distance


def band_levels_db(samples: Samples, sample_rate: int) -> Levels:
    """Return the levels (frames, bands) of int16 samples (N,) in bands of equal width on the mel scale.

    Frames of 32 ms under a Hann window, half overlapping; the level is the mean power density of a band in
    decibels of a full-scale signal. Low bands without a frequency of their own are left out.
    """
    size = max(4, round(FRAME_S * sample_rate))
    sound = np.pad(samples.astype(np.float64) / INT16_SCALE, (0, max(0, size - len(samples))))
    window = np.hanning(size)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[:: size // 2]
    power = np.square(np.abs(np.fft.rfft(frames * window))) / np.square(window).sum()
    edges = np.linspace(0, 2595 * np.log10(1 + sample_rate / 2 / 700), BANDS + 1)
    edges_hz = 700 * (10 ** (edges / 2595) - 1)
    bins = np.unique(np.round(edges_hz * size / sample_rate).astype(int)[:-1])
    widths = np.diff(bins, append=power.shape[-1])
    levels: Levels = 10 * np.log10(np.add.reduceat(power, bins, -1) / widths + 10 ** (FLOOR_DB / 10))
    return levels


def _profile(samples: Samples, sample_rate: int) -> Levels:
    """Mean and standard deviation over time (2, bands) of the levels."""
    levels = band_levels_db(samples, sample_rate)
    return np.stack([levels.mean(0), levels.std(0)])


def continuation_nll(model: "TrainedModel", context: Rows, takes: Rows) -> NDArray[np.float64]:
    """Nats per step (B,) of continuations (B, N, width) of what was heard (M, width), all as stored.

    Minus the log-density at temperature 1, whatever they were drawn with; steps that are not whole are left
    out, and nats are those of the values normalised as in training.
    """
    import torch

    from pipeline.evaluation.nll import CHUNK_STEPS
    from pipeline.generation.free_running_torch import warm_state

    frames, normaliser = model.framing, model.normaliser()
    context = context[len(context) % frames.hop :]
    steps = takes.shape[1] // frames.hop
    with torch.inference_mode():
        state, window = warm_state(model, torch.from_numpy(np.ascontiguousarray(context)))
        state = tuple(part.repeat_interleave(len(takes), 1) for part in state)
        rows = torch.from_numpy(np.ascontiguousarray(takes[:, : steps * frames.hop])).to(model.device)
        values = torch.cat([window.expand(len(takes), -1, -1), normaliser.normalise(rows)], 1)
        total = torch.zeros(len(takes), dtype=torch.float64, device=model.device)
        for first in range(0, steps, CHUNK_STEPS):
            count = min(CHUNK_STEPS, steps - first)
            begin = first * frames.hop
            stretch = values[:, begin : begin + frames.window + count * frames.hop]
            inputs, targets, _ = frames.split(stretch, torch.ones(stretch.shape[:2], dtype=torch.bool))
            distribution, state = model.network(inputs, state)
            total -= distribution.log_prob(targets).double().sum(1)
    return np.asarray(total.cpu().numpy() / max(steps, 1))
