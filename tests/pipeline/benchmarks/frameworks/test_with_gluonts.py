"""The held-out likelihood of DeepAR is a density in units of the samples, however a window is scaled."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.frameworks.task import Settings, Task
from tests.helpers.networks.densities import last_samples

pytest.importorskip("gluonts.torch", reason="needs GluonTS, which has an environment of its own")


@pytest.mark.parametrize("scale", [0.01, 20.0])
def test_the_density_of_a_sample_integrates_to_one(scale: float, tmp_path: Path) -> None:
    from pipeline.benchmarks.frameworks import with_gluonts

    settings = Settings("lstm", 12, "diagonal", 3, 1e-3, 20, 32, 1, 20, 4, 1e-3, 1.0, 0, 1.0)
    windows, distance = last_samples(32 + 20, scale)
    task = Task(tmp_path, settings, windows, windows)
    assert task.scored == 1
    estimator = with_gluonts.build(task, [])
    module = estimator.create_lightning_module().eval()
    nats = [with_gluonts.held_out_nats(estimator, module, window[None]) for window in windows]
    assert sum(math.exp(-each) * distance for each in nats) == pytest.approx(1, abs=0.02)
    assert np.ptp(nats) > 1
