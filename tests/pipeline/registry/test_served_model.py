"""A registered model is served by MLflow alone, and brings the code that it needs."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

import numba  # noqa: F401  before the model is loaded, which would choose a cache for this process
import numpy as np
import pytest
import soundfile

from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig
from pipeline.generation.options import DEFAULT_NOISE_SCALE, DEFAULT_SECONDS, DEFAULT_TEMPERATURE
from pipeline.registry.registration import register, set_alias
from pipeline.serving.answers import encoded
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import store_uri
from tests.conftest import PROJECT_ROOT
from tests.helpers.pages.code_blocks import blocks_of
from tests.helpers.tracked_runs import add_model, free_port, wait_for

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
assert [answer["samples"].shape for answer in once] == [(200,), (200,)], once
assert all((one["samples"] == two["samples"]).all() for one, two in zip(once, again))
import pipeline
print(pipeline.__file__)
"""
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store_uri(), "DO_NOT_TRACK": "true"}
    command = [sys.executable, "-c", code, root]
    done = subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True)
    assert root not in done.stdout


def test_the_description_names_no_folder_of_this_machine(run: RunFolder, local_store: Path) -> None:
    add_model(run)
    register(run, "wavecast")
    written = [path.read_text() for path in local_store.parent.rglob("MLmodel")]
    assert len(written) == 2, "one of the run and one of the logged model"
    assert str(run.path.parents[1]) not in "".join(written)


def loaded(name: str) -> Any:
    """The first version of a registered model, as MLflow loads it."""
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    return mlflow.pyfunc.load_model(f"models:/{name}/1")


def test_mlflow_serves_a_model_of_waveforms(run: RunFolder) -> None:
    add_model(run)
    register(run, "wavecast")
    import mlflow

    model = loaded("wavecast")
    context = np.sin(np.arange(400, dtype=np.float32))[None].repeat(2, axis=0)
    answers = model.predict(context, params={"seconds": 0.1, "seed": 3})
    added = [answer["samples"] for answer in answers]
    assert [(one.shape, one.dtype) for one in added] == [((200,), np.float32)] * 2
    assert [(answer["sample_rate"], answer["seed"]) for answer in answers] == [(2_000, 3), (2_000, 4)]
    (alone,) = model.predict(context[1:], params={"seconds": 0.1, "seed": 4})
    assert np.array_equal(added[1], alone["samples"])
    assert not np.array_equal(added[0], added[1])
    with pytest.raises(mlflow.MlflowException, match="seconds=-1") as raised:
        model.predict(context, params={"seconds": -1.0})
    assert raised.value.get_http_status_code() == 400


def test_the_defaults_are_those_of_the_command_line(run: RunFolder) -> None:
    add_model(run)
    register(run, "wavecast")
    stated = {spec.name: spec.default for spec in loaded("wavecast").metadata.get_params_schema().params}
    expected = {"seconds": DEFAULT_SECONDS, "temperature": DEFAULT_TEMPERATURE}
    assert stated == {**expected, "noise_scale": DEFAULT_NOISE_SCALE, "seed": 0, "output": "array"}


def test_mlflow_serves_a_model_of_spectrograms(run: RunFolder) -> None:
    kind = SpectrogramConfig(
        kind="spectrogram", sample_rate=2_000, window_length=50, hop_length=20, n_fft=64, n_mels=8
    )
    add_model(run, kind)
    register(run, "frames")
    import mlflow

    model = loaded("frames")
    context = np.zeros((3, 30, 8), np.float32)
    added = [answer["rows"] for answer in model.predict(context, params={"seconds": 0.2})]
    assert [rows.shape for rows in added] == [(20, 8)] * 3
    assert not np.array_equal(added[0], added[1])
    with pytest.raises(mlflow.MlflowException, match=r"\(30, 7\)"):
        model.predict(np.zeros((3, 30, 7), np.float32))


def test_mlflow_serves_a_model_of_notes(run: RunFolder) -> None:
    add_model(run, PianoRollConfig(kind="piano-roll"), head="bernoulli")
    register(run, "notes")
    answers = loaded("notes").predict(np.zeros((2, 30, 88), np.float32), params={"seconds": 2.0, "seed": 3})
    for answer in answers:
        assert answer["rows"].shape == (16, 88)
        assert answer["rows"].dtype == np.float32
        assert set(np.unique(answer["rows"])) == {0.0, 1.0}


@pytest.mark.slow
def test_a_server_answers_files_and_rejects_bad_requests(run: RunFolder, tmp_path: Path) -> None:
    """With MLflow's own server: ready means compiled, and a mistake of the client is status 400."""
    add_model(run)
    register(run, "wavecast")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/wavecast/1"]
    command += ["--env-manager", "local", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"MLFLOW_TRACKING_URI": store_uri(), "PATH": path, "DO_NOT_TRACK": "true"}
    environment = {**os.environ, **variables, "XDG_CACHE_HOME": str(tmp_path)}
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment, cwd="/", start_new_session=True) as server:
        try:
            wait_for(f"{address}/ping")
            assert list(tmp_path.glob("wavecast/compiled/*/*.nbi"))
            files = [
                encoded(np.arange(-900, 900, 3, dtype=np.int16), 4_000, kind) for kind in ("wav", "flac")
            ]
            (first, second), status = posted(address, files, {"seconds": 0.5, "output": "flac"})
            sound, rate = soundfile.read(BytesIO(base64.b64decode(first["audio"])))
            assert (status, rate, first["sample_rate"], len(sound)) == (200, 2_000, 2_000, 1_000)
            assert (first["seed"], second["seed"]) == (0, 1)
            run_example(address, tmp_path)
            for inputs, parameters in (
                (files, {"seconds": -1}),
                (files, {"seconds": float("nan")}),
                (["bm8gc291bmQgYXQgYWxs"], {}),
                ([[float("nan")] * 9], {}),
                ([[3e4] * 9], {}),
                ([[1.0], [1.0, 2.0]], {}),
            ):
                assert posted(address, inputs, parameters)[1] == 400
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def run_example(address: str, folder: Path) -> None:
    """The Python example of the documentation, with this server's address."""
    soundfile.write(folder / "talk.wav", np.zeros(4_000), 8_000)
    (block,) = [each for each in blocks_of(PROJECT_ROOT / "docs/guides/serving.md") if each.language == "py"]
    code = block.text.replace("http://127.0.0.1:5001", address)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    assert soundfile.info(folder / "continuation.wav").frames == 4_000


def posted(address: str, inputs: Any, parameters: dict[str, Any]) -> tuple[Any, int]:
    """Send a request; return the predictions and the status."""
    body = json.dumps({"inputs": inputs, "params": parameters}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["predictions"], answer.status
    except urllib.error.HTTPError as problem:
        return None, problem.code
