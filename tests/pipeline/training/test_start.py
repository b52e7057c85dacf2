"""A training that starts from another model begins with its likelihoods, and resumes exactly."""

from pathlib import Path

import pytest
import torch

from pipeline.config.run import RunConfig
from pipeline.data.dataset import Dataset, open_dataset, split_rows
from pipeline.evaluation.nll import score
from pipeline.model.storage import load_model
from pipeline.promotion.starting import choose_start
from pipeline.reports.html import run_page
from pipeline.stages import prepare_stage
from pipeline.tracking.pages.start_gain import start_gain
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.loop import begin, train
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start, weights

HEAD = ("model.companding=true", "model.covariance=autoregressive", "model.autoregressive_order=4")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=6, seconds=0.2, sample_rate=8000)


def bits_by_model(folder: Path, dataset: Dataset) -> float:
    """The validation loss of a model folder with its own normalisation, in nats per step."""
    model = load_model(folder)
    data = split_rows(dataset, "valid", torch.device("cpu"))
    return score(model.network, data, model.framing, model.normaliser(), exact=False).nats_per_step


def louder(config: RunConfig, folder: Path) -> RunConfig:
    """The same settings for a corpus of another loudness, so with another normalisation."""
    import soundfile

    for path in sorted(config.corpus.inputs[0].glob("*.wav")):
        samples, rate = soundfile.read(path)
        folder.mkdir(exist_ok=True)
        soundfile.write(folder / path.name, samples * 0.3 + 0.01, rate)
    return config.model_copy(update={"corpus": config.corpus.model_copy(update={"inputs": [folder]})})


def test_at_update_0_every_sample_is_as_likely_as_under_the_other_model(corpus: Path, tmp_path: Path) -> None:
    config = config_for(corpus, "train.epochs=1", *HEAD)
    first = start(config)
    train(first)
    config = louder(config, tmp_path / "louder")
    prepared = open_dataset(prepare_stage(config), config.input)
    assert prepared.normalisation != load_model(first.model).normalisation
    from_first = config.model_copy(
        update={
            "train": config.train.model_copy(update={"start_from": str(first.path), "learning_rate": 1e-12})
        }
    )
    second = start_run(from_first, prepared.path, prepared.fingerprint)
    choose_start(second)
    training = begin(from_first, prepared, second, lambda covered: None)
    assert training.position.start_valid == bits_by_model(first.model, prepared)
    before = load_model(first.model).weights()
    assert all(
        torch.equal(x, torch.from_numpy(before[name])) for name, x in training.network.state_dict().items()
    )
    train(second)
    summary = second.status()["summary"]
    assert summary["start_gained_nats_per_step"] >= 0
    assert summary["start_valid_bits_at_end"] <= summary["start_valid_bits_at_start"]
    assert bits_by_model(second.model, prepared) == pytest.approx(summary["valid_nats_per_step"])


def test_a_chain_of_trainings_keeps_the_record_of_the_one_from_new_weights(corpus: Path) -> None:
    first = start(config_for(corpus, "train.epochs=1"))
    train(first)
    runs = [first]
    for number in (1, 2):
        settings = (f"train.start_from={runs[-1].path}", "train.epochs=1", f"name=next-{number}")
        runs.append(start(config_for(corpus, *settings)))
        choose_start(runs[-1])
        train(runs[-1])
    summary = runs[2].status()["summary"]
    recorded = load_model(first.model).trained
    assert summary["start_anew_run"] == first.path.name
    assert summary["start_anew_minutes"] == recorded["elapsed_s"] / 60
    assert summary["start_anew_valid_nats_per_step"] == recorded["valid_nats_per_step"]
    gain = start_gain(runs[2].status())
    assert gain is not None
    assert gain.gained == pytest.approx(
        summary["start_valid_bits_at_start"] - summary["start_valid_bits_at_end"]
    )
    assert f"as recorded of {first.path.name}" in gain.sentence
    assert [row.loss for row in gain.rows] == [
        summary[f"start_valid_bits_at_{name}"] for name in ("start", "end", "anew")
    ]
    assert start_gain(first.status()) is None
    page = run_page(runs[2])
    assert f"as recorded of {first.path.name}" in page
    assert "the model that it started from" not in run_page(first)


def test_it_resumes_exactly_and_keeps_the_deadline(corpus: Path) -> None:
    first = start(config_for(corpus, "train.epochs=1"))
    train(first)
    settings = (f"train.start_from={first.path}", "train.epochs=2", "train.checkpoint_updates=3")
    whole, stopped = (start(config_for(corpus, *settings, f"name={name}")) for name in ("whole", "stopped"))
    for run in (whole, stopped):
        choose_start(run)
    train(whole)

    class Stopped(Exception):
        pass

    def stop(covered: int) -> None:
        if covered:
            raise Stopped

    with pytest.raises(Stopped):
        train(stopped, stop)
    choose_start(stopped)
    train(stopped)
    ends = weights(whole), weights(stopped)
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    brief = start(config_for(corpus, *settings, "train.epochs=100000", "train.max_minutes=0.01"))
    choose_start(brief)
    train(brief)
    assert brief.status()["summary"]["elapsed_s"] < 2


def test_runs_without_the_setting_keep_their_folders(corpus: Path) -> None:
    run = start(config_for(corpus, "name=known"))
    assert isinstance(run, RunFolder)
    with_start = start(config_for(corpus, "name=known", "train.start_from=champion"))
    assert run.path != with_start.path
    from pipeline.common.hashing import digest_json

    settings = run.config().model_dump(mode="json", include={"input", "model", "train"})
    for added in ("start_from", "ema", "transpose_semitones"):
        del settings["train"][added]
    del settings["model"]["output_dropout"]
    fingerprint = run.description()["fingerprint"]
    assert run.path.name == f"known-{digest_json([settings, fingerprint])[:10]}"
