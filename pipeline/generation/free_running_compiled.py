"""Free running on a CPU in compiled loops, without torch: see `models.compiled.predictor`."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.free_running import FreeRun, maximum_scale

CHUNK_STEPS = 2_000


class CompiledFreeRun(FreeRun):
    """Free run for waveforms, recurrent layers and mixtures."""

    def condition(self, context: ContextRows) -> None:
        """Condition the state on stored rows (N, 1), a chunk of steps at a time."""
        frames, compiled, takes = self.model.framing, self.model.compiled, self.sampling.takes
        assert compiled is not None
        self._compiled = compiled
        representation, normalisation = self.model.representation, self.model.normalisation
        self._scaling = {
            "mean": normalisation.mean[0],
            "std": normalisation.std[0],
            "unit": representation.unit,
        }
        window, state = np.zeros(frames.window, np.float32), compiled.initial_state(1)
        for rows in context.blocks(len(context) % frames.hop, CHUNK_STEPS * frames.hop):
            values = np.concatenate([window, representation.normalise(rows, normalisation)[:, 0]])
            chunk = sliding_window_view(values, frames.window)[: len(rows) : frames.hop]
            _, state = compiled.hidden(np.ascontiguousarray(chunk)[None], state)
            window = values[len(values) - frames.window :]
        self._state = tuple(np.repeat(part, takes, axis=1) for part in state)
        self._window = np.repeat(window[None], takes, axis=0)
        self._power = np.zeros(takes)

    def draw(self, uniform: NDArray[np.float32], noise: NDArray[np.float32]) -> Rows:
        """Return the rows (B, n * hop, 1) of the next steps."""
        limiter, sampling = self.model.limiter, self.sampling
        samples, self._state, self._window, self._power, gain_reduced, scale_clipped = (
            self._compiled.generate(
                uniform.shape[1],
                self._state,
                self._window,
                np.ascontiguousarray(uniform),
                np.ascontiguousarray(noise),
                **self._scaling,
                temperature=sampling.temperature,
                noise_scale=sampling.noise_scale,
                max_scale=maximum_scale(self.model),
                mode=sampling.mode,
                limiter_limit=limiter.limit if limiter else None,
                limiter_memory=limiter.memory if limiter else 0.0,
                limiter_power=self._power,
            )
        )
        self.limiter.note(gain_reduced, scale_clipped & sampling.noisy)
        rows: Rows = samples[:, :, None]
        return rows
