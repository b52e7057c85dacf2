"""A head on adaptive predictions is trained and scored, and compresses; nothing is drawn from it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.compression.codec import CodingModel, compress_sound, decompress_sound
from pipeline.concealment.methods import model_expectation
from pipeline.config.loading import load_config
from pipeline.config.run import EvaluateConfig
from pipeline.data.dataset import open_dataset
from pipeline.errors import UserError
from pipeline.evaluation.evaluate import evaluate
from pipeline.export.onnx_step import export_step
from pipeline.generation.engine import free_run
from pipeline.serving.server import ContinuationServer
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import start_run
from pipeline.training.loop import train
from tests.helpers.builders import adaptive_model
from tests.helpers.sounds import write_noisy_tones

SETTINGS = [
    "model.head=adaptive",
    "model.hidden_size=16",
    "samples.count=0",
    "train.loss=discrete",
    "train.epochs=4",
    "train.batch_size=4",
    "train.bptt_steps=20",
    "train.device=cpu",
    "corpus.group=recording",
    "input.sample_rate=8000",
]


@pytest.mark.slow
def test_from_recordings_to_a_compressed_file(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=1.0, sample_rate=8000)
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *SETTINGS])
    dataset = prepare_stage(config)
    run = start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)
    train(run)
    figures = evaluate(run.model, dataset, EvaluateConfig(), "cpu")
    bits = figures["model"]["bits_per_sample"]
    assert bits < figures["baselines"]["adaptive predictor"]["bits_per_sample"]
    coding = CodingModel.load(run.model, "adaptive")
    source, packed, back = next(corpus.rglob("*.wav")), tmp_path / "a.wcz", tmp_path / "a.wav"
    compress_sound(coding, source, packed)
    decompress_sound(coding, packed, back)
    assert back.read_bytes() == source.read_bytes()


def test_nothing_is_drawn_and_the_reason_is_said(tmp_path: Path) -> None:
    model = adaptive_model()
    reason = "nothing can be drawn from the head adaptive: it scores and compresses"
    with pytest.raises(UserError, match=reason):
        free_run(model, np.zeros((10, 1), np.int16))
    with pytest.raises(UserError, match=reason):
        model_expectation(model)
    with pytest.raises(UserError, match=reason):
        ContinuationServer(model)
    with pytest.raises(UserError, match="the head adaptive has no description for other runtimes"):
        export_step(model, tmp_path / "step.onnx")
