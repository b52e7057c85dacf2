"""A server of continuations answers sound in several forms, side by side, and rejects what it cannot use."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.config.inputs import WaveformConfig
from pipeline.errors import UserError
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel
from pipeline.serving import inputs
from pipeline.serving.answers import encoded
from pipeline.serving.inputs import MOST_CONTEXT_S, MOST_RECORDINGS
from pipeline.serving.options import MOST_SECONDS
from pipeline.serving.server import ContinuationServer
from tests.helpers.builders import tiny_model

RATE = 2_000
SOUND = (3_000 * np.sin(np.arange(600))).astype(np.int16)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return tiny_model(WaveformConfig(sample_rate=RATE))


@pytest.fixture(scope="module")
def server(model: TrainedModel) -> ContinuationServer:
    return ContinuationServer(model)


def decoded(answer: dict[str, Any]) -> np.ndarray:
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(answer["audio"])), dtype="int16")
    assert rate == answer["sample_rate"] == RATE
    return np.asarray(sound)


@pytest.mark.parametrize("sent", ["wav", "flac", "array"])
@pytest.mark.parametrize("output", ["wav", "flac", "array"])
def test_every_form_holds_the_same_sound(
    server: ContinuationServer, model: TrainedModel, sent: Any, output: str
) -> None:
    request = SOUND[None] / 32_768 if sent == "array" else [encoded(SOUND, RATE, sent)]
    (answer,) = server.answer(request, {"seconds": 0.25, "seed": 5, "output": output})
    added = np.rint(answer["samples"] * 32_768) if output == "array" else decoded(answer)
    expected = continue_samples(model, SOUND, 0.25, SamplingOptions(seed=5)).added[0]
    assert np.array_equal(added, expected)


def test_an_answer_states_rate_length_and_level(server: ContinuationServer) -> None:
    (answer,) = server.answer(SOUND[None] / 32_768, {"seconds": 0.25})
    level_db = 20 * np.log10(np.sqrt(np.mean(np.square(SOUND / 32_768))))
    assert answer["recording_level_db"] == pytest.approx(level_db, abs=0.01)
    assert (answer["sample_rate"], answer["seconds"]) == (RATE, 0.25)
    assert server.answer([[0.0] * 9], {"seconds": 0.1})[0]["recording_level_db"] == -100


def test_files_are_converted_to_the_rate_of_the_model(server: ContinuationServer) -> None:
    (answer,) = server.answer([encoded(np.repeat(SOUND, 4), 4 * RATE, "wav")], {"seconds": 0.1})
    assert (answer["sample_rate"], len(answer["samples"])) == (RATE, 200)


def test_requests_at_the_same_time_do_not_change_each_other(server: ContinuationServer) -> None:
    requests = [
        (np.roll(SOUND, 7 * seed)[None] / 32_768, {"seconds": 0.5, "seed": seed}) for seed in range(24)
    ]
    alone = [server.answer(*request)[0]["samples"] for request in requests]
    with ThreadPoolExecutor(12) as clients:
        together = list(clients.map(lambda request: server.answer(*request)[0]["samples"], requests))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    assert len({sound.tobytes() for sound in together}) == len(requests)


@pytest.mark.parametrize(
    "parameters",
    [
        {"seconds": -1},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": MOST_SECONDS * 1.01},
        {"seconds": "long"},
        {"temperature": -0.1},
        {"noise_scale": 1e9},
        {"noise_scale": None},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 1 << 80},
        {"output": "mp3"},
        {"output": ["wav"]},
        {"tempo": 3},
    ],
    ids=str,
)
def test_impossible_parameters_are_named(server: ContinuationServer, parameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(parameters))):
        server.answer([[0.0] * 9], parameters)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([[0.0, float("nan")]], "1 of 2 values are not finite"),
        ([[0.0] * 9, [float("inf")] * 9], "recording 1: 9 of 9"),
        ([[3e4, -3e4]], r"divide them by full scale"),
        ([[1e300]], "not finite"),
        (np.zeros((1, round(MOST_CONTEXT_S * RATE) + 1)), "longer than"),
        ([[0.0]] * (MOST_RECORDINGS + 1), "send 1 to"),
        ([], "send 1 to"),
        ([[]], "shape"),
        (np.zeros(9), "one row for each recording"),
        (np.zeros((2, 3, 4)), "shape"),
        ([[0.0], "UklGRg=="], "neither numbers nor texts alone"),
        ({"a": [1.0]}, "of type dict"),
        (["?"], "not base64"),
        ([base64.b64encode(b"OggS and more bytes").decode()], "neither a WAV nor a FLAC"),
        ([base64.b64encode(b"RIFF").decode()], "neither a WAV nor a FLAC"),
        ([encoded(SOUND, RATE, "flac")[:200]], "recording 0"),
        ([encoded(np.zeros(round(MOST_CONTEXT_S * RATE) + 1, np.int16), RATE, "flac")], "longer than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_recordings_are_rejected_with_a_reason(
    server: ContinuationServer, sent: Any, reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        server.answer(sent, {"seconds": 0.1})


def test_the_duration_of_everything_in_a_request_is_limited(server: ContinuationServer) -> None:
    with pytest.raises(UserError, match="11 continuations of 60 s"):
        server.answer([[0.0]] * 11, {"seconds": 60})
    with pytest.raises(UserError, match="more than 1200 s of recordings"):
        server.answer(np.zeros((5, round(MOST_CONTEXT_S * RATE)), np.float32), {"seconds": 0.1})


def test_a_file_longer_than_the_limit_is_not_decoded(
    server: ContinuationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MOST_FILE_BYTES", 100)
    with pytest.raises(UserError, match="MiB"):
        server.answer([encoded(SOUND, RATE, "wav")], {})
