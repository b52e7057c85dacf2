"""Ranking of continuations by their spectral distance to the recording, and their negative log-likelihood.

The likelihood ranks badly, since quiet and smooth sound is likely. Of eight takes, the likeliest was the
quietest in 26 of 48 cases, and its level was 4.1 dB from that of the true continuation. A random take
differs by 3.4 dB. (Measured with an autoregressive GRU on 24 speakers that it was not trained on.) The take
with the smallest spectral distance to the end of the context differed by 3.3 dB and was the quietest in 13
cases. Its spectrum was as near as that of the likeliest, 7.3 dB and 7.2 dB; a random take has 8.7 dB.
Typicality, the distance of a take's likelihood from that of the context, did not differ from chance.
`wavecast bench continuations` measures the rules for any model.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import INT16_SCALE
from pipeline.features.short_time import short_time_magnitudes
from pipeline.generation.context import ContextRows, Rows

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel

Samples = NDArray[np.int16]
Levels = NDArray[np.float64]

FRAME_S = 0.032
BANDS = 24
FLOOR_DB = -100.0
"""Lowest level of a band; without it, digital silence would be infinitely far from all sound."""
CONTEXT_S = 3.0
"""Length of the context's end that takes are compared with: several words, not a single phone."""


def spectral_distance_db(context: Samples, takes: Samples, sample_rate: int) -> NDArray[np.float64]:
    """Return the spectral distance (B,) in dB between takes and the end of their context.

    Both are described by mean and standard deviation over time of the levels in `BANDS` bands (see
    `band_levels_db`). The squared differences of means and of deviations are added. The distance is the root
    of their mean over bands.

    Args:
        context: int16 samples (M,).
        takes: int16 samples (B, N).
        sample_rate: in Hz.

    Example:
        It is 0 dB for equal sound, and 6 dB for sound of double amplitude:

        >>> import numpy as np
        >>> noise = np.random.default_rng(0).integers(-1000, 1000, 8000).astype(np.int16)
        >>> spectral_distance_db(noise, np.stack([noise, 2 * noise]), 8000).round(1).tolist()
        [0.0, 6.0]
    """
    expected = _profile(context[-round(CONTEXT_S * sample_rate) :], sample_rate)
    differences = np.stack([_profile(take, sample_rate) - expected for take in takes])
    distance: Levels = np.sqrt(np.square(differences).sum(1).mean(-1))
    return distance


def band_levels_db(samples: Samples, sample_rate: int) -> Levels:
    """Return the levels (frames, bands) of a sound in bands of equal width on the mel scale.

    Frames have 32 ms, a Hann window, and overlap by half. The level is the mean power density of a band in
    decibels of a full-scale signal. Low bands that contain no frequency bin are left out.

    Args:
        samples: int16 samples (N,).
        sample_rate: in Hz.
    """
    size = max(4, round(FRAME_S * sample_rate))
    window = np.hanning(size)
    magnitudes = short_time_magnitudes(samples.astype(np.float64) / INT16_SCALE, window, size // 2)
    power = np.square(magnitudes) / np.square(window).sum()
    edges = np.linspace(0, 2595 * np.log10(1 + sample_rate / 2 / 700), BANDS + 1)
    edges_hz = 700 * (10 ** (edges / 2595) - 1)
    bins = np.unique(np.round(edges_hz * size / sample_rate).astype(int)[:-1])
    widths = np.diff(bins, append=power.shape[-1])
    levels: Levels = 10 * np.log10(np.add.reduceat(power, bins, -1) / widths + 10 ** (FLOOR_DB / 10))
    return levels


def _profile(samples: Samples, sample_rate: int) -> Levels:
    """Return mean and standard deviation over time (2, bands) of the levels."""
    levels = band_levels_db(samples, sample_rate)
    return np.stack([levels.mean(0), levels.std(0)])


def continuation_nll(model: "TrainedModel", context: ContextRows, takes: Rows) -> NDArray[np.float64]:
    """Return the negative log-likelihood (B,) of continuations, in nats per step.

    The log-density is that of the normalised values at temperature 1, independent of the sampling options.
    Partial steps are left out.

    Args:
        model: any trained model.
        context: stored rows (M, width), in blocks.
        takes: stored rows (B, N, width) that follow the context.
    """
    import torch

    from pipeline.evaluation.nll import CHUNK_STEPS
    from pipeline.generation.free_running_torch import warm_state

    frames, normaliser = model.framing, model.normaliser()
    steps = takes.shape[1] // frames.hop
    with torch.inference_mode():
        state, window = warm_state(model, context)
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
