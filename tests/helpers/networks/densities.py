"""Windows on which a density over a sample can be integrated."""

import numpy as np


def last_samples(known: int, scale: float, count: int = 401) -> tuple[np.ndarray, float]:
    """Windows (count, known + 1) of the same known noise, with a grid of values as the last sample.

    Returns:
        The windows, and the distance of two values.
    """
    noise = np.random.default_rng(0).normal(scale, scale, known).astype(np.float32)
    grid = np.linspace(-60 * scale, 60 * scale, count, dtype=np.float32)
    windows = np.concatenate([np.tile(noise, (count, 1)), grid[:, None]], axis=1)
    return windows, float(grid[1] - grid[0])
