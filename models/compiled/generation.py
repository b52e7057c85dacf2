"""Free-running generation, compiled: each block of samples that a model draws is its next input.

The same as `pipeline.generation.generate` does with the torch model,
`pipeline.features.normaliser.Normaliser` and `pipeline.model.limiter.RmsLimiter`, in one loop without
Python.
"""

import numpy as np
from numpy.typing import NDArray

from models.compiled.cells import Array, Layers, add_product, copy, fill_rows, run_layers, write_features
from models.compiled.elementary import nearest
from models.compiled.heads import Head, add_means, choose, deviate, weigh
from models.compiled.simd import PANEL, compiled

Flags = NDArray[np.uint8]
Scale = tuple[np.float32, np.float32, np.float32]
"""Mean and standard deviation that normalise, and what an integer is worth."""
Draw = tuple[bool, np.float32, np.float32, np.float32]
"""Whether the mean of the mixture is taken instead of a draw; temperature, spread, widest scale."""
Guard = tuple[float, float]
"""Loudest root mean square, and the share of the running power that one block leaves in place."""

_LOWEST, _HIGHEST = np.float32(-32_768.0), np.float32(32_767.0)


@compiled
def generate_samples(
    layers: Layers,
    head: Head,
    seen: int,
    companding_step: np.float32,
    scale: Scale,
    draw: Draw,
    limiter: Guard,
    h: Array,
    c: Array,
    window: Array,
    power: NDArray[np.float64],
    uniform: Array,
    noise: Array,
    samples: NDArray[np.int16],
    gain_reduced: Flags,
    scale_clipped: Flags,
) -> None:
    """Generate samples in free running. States, windows and powers are updated in place.

    Args:
        layers, head: weights, as `models.compiled.weights` lays them out.
        seen: values before a step that the network reads.
        companding_step: quantisation step of the companded inputs; 0 without companding.
        scale: normalisation of a sample.
        draw: how a value is selected from the distribution.
        limiter: limits of the RMS limiter.
        h, c: states (L, B, H).
        window: the last normalised values, (B, W).
        power: running mean of squared samples, (B,).
        uniform: (B, T) in [0, 1), select the component of a step.
        noise: (B, T, D), standard normal, deviations within the component.
        samples: receives the samples, (B, T D).
        gain_reduced, scale_clipped: receive where a block's gain was reduced and a scale was clipped, (B, T).
    """
    batch, steps, size = noise.shape
    units = h.shape[2]
    features = np.empty((1, batch, seen if companding_step == 0 else 2 * seen), np.float32)
    pre = np.empty((1, batch, layers[6].shape[2]), np.float32)
    apart = np.empty_like(pre[0])
    out = np.empty((1, batch, units), np.float32)
    logits = np.empty((batch, head[3].size), np.float32)
    running = np.empty(head[4].shape[0], np.float32)
    parameters = np.empty((1, head[5].shape[2]), np.float32)
    predictor = np.empty((1, head[8].shape[0] * PANEL), np.float32)
    values, mean = np.empty(size, np.float32), np.empty(size, np.float32)
    for t in range(steps):
        for b in range(batch):
            write_features(window[b, window.shape[1] - seen :], companding_step, features[0, b])
        run_layers(layers, features, h, c, pre, apart, out)
        fill_rows(head[3], logits)
        add_product(out[0], head[2], logits)
        for b in range(batch):
            hidden = out[0, b : b + 1]
            if draw[0]:
                _expect(head, hidden, logits[b], window[b], running, parameters, predictor, mean, values)
            else:
                chosen = choose(logits[b], draw[1], uniform[b, t], running)
                _project(head, chosen, hidden, parameters)
                scale_clipped[b, t] = deviate(head, parameters[0], noise[b, t], draw[2], draw[3], values)
                add_means(head, parameters[0], window[b], True, predictor, values)
            power[b], gain_reduced[b, t] = _turn_down(limiter, power[b], values)
            block = samples[b, t * size : (t + 1) * size]
            _restore(values, scale, block)
            _append_samples(block, scale, window[b])


@compiled
def _project(head: Head, component: int, hidden: Array, parameters: Array) -> None:
    """Compute the parameters (1, M PANEL) of one component from a hidden vector (1, H)."""
    copy(head[5][component, 0], parameters[0])
    add_product(hidden, head[4][component], parameters)


@compiled
def _expect(
    head: Head,
    hidden: Array,
    logits: Array,
    history: Array,
    weights: Array,
    parameters: Array,
    predictor: Array,
    mean: Array,
    values: Array,
) -> None:
    """Write the mean of the mixture to ``values`` (D)."""
    count = weights.size
    weigh(logits, np.float32(1.0), weights)
    total = np.float32(0.0)
    for weight in weights:
        total += weight
    values[:] = 0
    for component in range(count):
        _project(head, component, hidden, parameters)
        mean[:] = 0
        add_means(head, parameters[0], history, False, predictor, mean)
        for n in range(values.size):
            values[n] += weights[component] / total * mean[n]


@compiled
def _turn_down(limiter: Guard, power: float, values: Array) -> tuple[float, bool]:
    """Keep a block (D) below the limit, in place; gives the running power after it."""
    limit, memory = limiter
    block = 0.0
    for value in values:
        if np.isfinite(value):
            block += np.float64(value) ** 2
    block /= values.size
    after = memory * power + (1 - memory) * block
    if after <= limit * limit:
        return after, False
    room = max(0.0, limit * limit - memory * power) / (1 - memory)
    gain = np.sqrt(room / block) if block > 0 else 1.0
    for n in range(values.size):
        values[n] *= np.float32(gain)
    return memory * power + (1 - memory) * gain * gain * block, True


@compiled
def _restore(values: Array, scale: Scale, block: NDArray[np.int16]) -> None:
    """Convert normalised values (D) to samples; NaN becomes 0."""
    mean, std, unit = scale
    for n in range(values.size):
        sample = (values[n] * std + mean) / unit
        sample = _HIGHEST if sample > _HIGHEST else sample
        sample = _LOWEST if sample < _LOWEST else sample
        block[n] = np.int16(nearest(sample)) if sample == sample else np.int16(0)


@compiled
def _append_samples(block: NDArray[np.int16], scale: Scale, window: Array) -> None:
    """Append samples (D), normalised, to the window (W), whose oldest values are dropped."""
    mean, std, unit = scale
    kept = max(0, window.size - block.size)
    for i in range(kept):
        window[i] = window[window.size - kept + i]
    for i in range(kept, window.size):
        window[i] = (np.float32(block[block.size - window.size + i]) * unit - mean) / std
