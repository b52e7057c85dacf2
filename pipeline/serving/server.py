"""Continuation of the recordings in requests, side by side on the processors of the machine."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pipeline.audio.pcm import INT16_SCALE, Samples
from pipeline.errors import UserError
from pipeline.generation.engine import free_run
from pipeline.generation.generate import continue_samples
from pipeline.model.trained_model import TrainedModel
from pipeline.serving.answers import encoded, rows_answer, sound_answer
from pipeline.serving.inputs import Rows, inputs_of
from pipeline.serving.options import MOST_TOTAL_SECONDS, ServingOptions

WARM_UP_S = 0.5
"""Length of the recording that is continued before the first request."""


class ContinuationServer:
    """A model that answers requests from any number of threads.

    The recordings of all requests share one worker for each processor. A worker continues one recording at a
    time, so that memory is bounded and no request changes the result of another.
    """

    def __init__(self, model: TrainedModel) -> None:
        model.require_draws()
        self._model = model
        self._workers = ThreadPoolExecutor(max(1, os.cpu_count() or 1), thread_name_prefix="continue")

    def warm_up(self) -> None:
        """Answer one small request of each form, so that no client waits for compilation or imports."""
        model = self._model
        if model.representation.sound is None:
            silence: Any = np.zeros((1, 8, model.representation.row_width), np.float32)
            self.answer(silence, {"seconds": 8 / model.row_rate_hz})
            return
        rate = model.audio.sample_rate
        tone = np.sin(np.arange(round(WARM_UP_S * rate), dtype=np.float32)) * INT16_SCALE / 8
        file = encoded(tone.astype(np.int16), rate, "flac")
        self.answer([file], {"seconds": 2 * model.framing.hop / model.row_rate_hz, "output": "wav"})

    def answer(self, sent: Any, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Continue each recording of a request.

        Args:
            sent: see `pipeline.serving.inputs.inputs_of`.
            parameters: see `pipeline.serving.options.ServingOptions`.

        Returns:
            An answer for each, see `pipeline.serving.answers`.

        Raises:
            UserError: a parameter or a recording is unusable or beyond a limit.
        """
        options = ServingOptions.of(parameters)
        items = inputs_of(self._model, sent)
        if len(items) * options.seconds > MOST_TOTAL_SECONDS:
            wanted = f"{len(items)} continuations of {options.seconds:g} s"
            raise UserError(f"{wanted}: ask for at most {MOST_TOTAL_SECONDS:g} s in a request")
        if options.output != "array" and any(item.ndim != 1 for item in items):
            raise UserError(f"output={options.output}: rows are answered as arrays; send a file for sound")
        jobs = [self._workers.submit(self._follow, item, options, index) for index, item in enumerate(items)]
        return [job.result() for job in jobs]

    def _follow(self, item: Samples | Rows, options: ServingOptions, index: int) -> dict[str, Any]:
        sampling = options.sampling(index)
        if item.ndim == 1:
            found = continue_samples(self._model, item, options.seconds, sampling)
            rate = found.sample_rate
            return sound_answer(found.added[0], item, rate, sampling.seed, options.output)
        count = max(1, round(options.seconds * self._model.row_rate_hz))
        rows = free_run(self._model, item, sampling).take(count)[0]
        return rows_answer(rows, self._model.row_rate_hz, options, index)
