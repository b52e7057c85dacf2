"""A registered model is served by MLflow alone, and brings the code that it needs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig
from pipeline.registry.registration import register, set_alias
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import store_uri
from tests.helpers.tracked_runs import add_model

pytestmark = pytest.mark.usefixtures("local_store")


@pytest.mark.slow
def test_the_served_model_brings_its_code(run: RunFolder) -> None:
    """It works in a process that does not find wavecast's packages otherwise."""
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    code = """
import sys
sys.path = [p for p in sys.path if p not in ("", sys.argv[1])]
import mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model("models:/wavecast@champion")
context = np.sin(np.arange(2 * 400, dtype=np.float32)).reshape(2, 400)
once, again = (model.predict(context, params={"seconds": 0.1, "seed": 3}) for _ in range(2))
assert once.shape == (2, 200) and once.dtype == np.float32, once
assert (once == again).all() and abs(once).max() <= 1
import pipeline
print(pipeline.__file__)
"""
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store_uri(), "DO_NOT_TRACK": "true"}
    command = [sys.executable, "-c", code, root]
    done = subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True)
    assert root not in done.stdout


def test_mlflow_serves_a_model_of_waveforms(run: RunFolder) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    model = mlflow.pyfunc.load_model("models:/wavecast@champion")
    context = np.sin(np.arange(400, dtype=np.float32))[None].repeat(2, axis=0)
    added = model.predict(context, params={"seconds": 0.1, "seed": 3})
    assert added.shape == (2, 200)
    assert added.dtype == np.float32
    assert np.abs(added).max() <= 1
    assert np.array_equal(added[1:], model.predict(context[1:], params={"seconds": 0.1, "seed": 4}))
    assert not np.array_equal(added[0], added[1])


def test_mlflow_serves_a_model_of_spectrograms(run: RunFolder) -> None:
    kind = SpectrogramConfig(
        kind="spectrogram", sample_rate=2_000, window_length=50, hop_length=20, n_fft=64, n_mels=8
    )
    add_model(run, kind)
    register(run, "frames")
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    model = mlflow.pyfunc.load_model("models:/frames/1")
    context = np.zeros((3, 30, 8), np.float32)
    added = model.predict(context, params={"seconds": 0.2})
    assert added.shape == (3, 20, 8)
    assert not np.array_equal(added[0], added[1])
    with pytest.raises(mlflow.MlflowException):
        model.predict(np.zeros((3, 30, 7), np.float32))


def test_mlflow_serves_a_model_of_notes(run: RunFolder) -> None:
    add_model(run, PianoRollConfig(kind="piano-roll"), head="bernoulli")
    register(run, "notes")
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    model = mlflow.pyfunc.load_model("models:/notes/1")
    added = model.predict(np.zeros((2, 30, 88), np.float32), params={"seconds": 2.0, "seed": 3})
    assert added.shape == (2, 16, 88)
    assert added.dtype == np.float32
    assert set(np.unique(added)) == {0.0, 1.0}
