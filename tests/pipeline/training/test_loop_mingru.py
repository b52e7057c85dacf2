"""minGRU goes the whole way: it is trained with weight noise, scored, exported, and continues a recording."""

from pathlib import Path

import pytest

from pipeline.audio.decode import read_mono
from pipeline.config.loading import load_config
from pipeline.config.run import EvaluateConfig
from pipeline.data.dataset import open_dataset
from pipeline.evaluation.evaluate import evaluate
from pipeline.export.onnx_step import export_step
from pipeline.generation.audio_files import continue_file
from pipeline.generation.options import SamplingOptions
from pipeline.model.storage import load_model
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import start_run
from pipeline.training.loop import train
from tests.helpers.sounds import write_noisy_tones

SETTINGS = [
    "model.cell=mingru",
    "model.hidden_size=24",
    "model.num_layers=2",
    "model.mixture_components=4",
    "train.weight_noise=0.02",
    "train.epochs=6",
    "train.batch_size=4",
    "train.bptt_steps=40",
    "train.device=cpu",
    "corpus.group=recording",
    "input.sample_rate=8000",
]


@pytest.mark.slow
def test_mingru_from_recordings_to_a_continuation(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *SETTINGS])
    dataset = prepare_stage(config)
    run = start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)
    train(run)
    valid = [
        x["metrics"]["valid/nats_per_step"] for x in run.lines() if "valid/nats_per_step" in x["metrics"]
    ]
    assert valid[-1] < valid[0] - 1
    figures = evaluate(run.model, dataset, EvaluateConfig(horizons=[1, 5]), "cpu")
    assert figures["model"]["bits_per_sample"] < figures["baselines"]["fixed Gaussian"]["bits_per_sample"]
    model = load_model(run.model)
    source, output = next(corpus.rglob("*.wav")), tmp_path / "continued.wav"
    facts = continue_file(lambda: model, source, output, seconds=0.1, sampling=SamplingOptions())
    assert (facts["engine"], facts["engine_reason"]) == ("torch", "the cell mingru has no compiled form")
    assert len(read_mono(output, 8000)[0]) == len(read_mono(source, 8000)[0]) + 800
    pytest.importorskip("onnxruntime")
    agreement = export_step(model, tmp_path / "step.onnx", check_steps=50)
    assert (tmp_path / "step.onnx").exists()
    assert all(found.relative < 1e-4 for found in agreement.values())
