"""Training learns, is exactly repeatable, and its result depends on the data only."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.data.dataset import open_dataset
from pipeline.errors import UserError
from pipeline.model.storage import load_model
from pipeline.registry.catalogue import validation_bits
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.loop import begin, epoch_plan, train
from pipeline.training.step import SKIPS_BEFORE_ROLLBACK, update
from tests.helpers.sounds import write_noisy_tones

SMALL = [
    "model.hidden_size=24",
    "model.mixture_components=4",
    "train.epochs=3",
    "train.batch_size=4",
    "train.bptt_steps=40",
    "train.checkpoint_updates=10",
    "train.log_updates=5",
    "train.device=cpu",
    "corpus.group=recording",
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def config_for(corpus: Path, *settings: str) -> RunConfig:
    named = [f"corpus.inputs=[{corpus}]", "input.sample_rate=8000", *SMALL, *settings]
    return load_config(None, named)


def start(config: RunConfig) -> RunFolder:
    dataset = prepare_stage(config)
    return start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.last_checkpoint, weights_only=True)["weights"])


def test_training_lowers_the_loss_and_leaves_a_whole_model(corpus: Path) -> None:
    run = start(config_for(corpus, "train.epochs=6"))
    train(run)
    valid = [
        x["metrics"]["valid/nats_per_step"] for x in run.lines() if "valid/nats_per_step" in x["metrics"]
    ]
    assert valid[-1] < valid[0] - 1
    assert run.status()["summary"]["valid_nats_per_step"] == min(valid)
    assert load_model(run.model).input.sample_rate == 8000
    bits = [line["metrics"].get("valid/density_bits_per_sample") for line in run.lines()]
    assert min(each for each in bits if each is not None) == pytest.approx(validation_bits(run.model))


@pytest.mark.thinned(8)
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm", "chung2014-gru", "chung2014-lstm", "mingru"])
@pytest.mark.parametrize("state", ["carried", "reset"])
def test_an_interrupted_run_ends_with_the_same_weights(
    corpus: Path, cell: str, state: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [
        f"model.cell={cell}",
        f"train.state={state}",
        "model.num_layers=2",
        "model.dropout=0.2",
    ]
    interrupted_is_uninterrupted(config_for(corpus, *settings), own_data_dir, monkeypatch)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "settings",
    [
        ["train.weight_noise=0.05", "model.covariance=autoregressive", "train.loss=discrete"],
        ["model.convolutions=[[8,4,2]]", "model.learned_initial_state=true", "model.covariance=full"],
        ["model.architecture=encoder-decoder", "train.scheduled_sampling=0.5", "model.attention_steps=5"],
    ],
    ids=lambda settings: settings[0],
)
def test_so_does_one_with_noise_draws_and_memories_of_other_kinds(
    corpus: Path, settings: list[str], own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_is_uninterrupted(config_for(corpus, *settings), own_data_dir, monkeypatch)


def interrupted_is_uninterrupted(
    config: RunConfig, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(config)
    train(whole)
    monkeypatch.setenv("WAVECAST_DATA", str(own_data_dir / "again"))
    broken = start(config)

    def stop(covered: int, calls: list[int] = []) -> None:  # noqa: B006
        calls.append(covered)
        if len(calls) % 2 == 0:
            raise KeyboardInterrupt

    for _ in range(30):
        try:
            train(broken, stop)
            break
        except KeyboardInterrupt:
            broken.append(10**9, {"train/nats_per_step": 0.0})  # what a killed run wrote too much
    assert broken.status()["status"] == "finished"
    ours, theirs = weights(broken), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    logged = [[line["step"], *sorted(line["metrics"])] for line in broken.lines()]
    assert logged == [[line["step"], *sorted(line["metrics"])] for line in whole.lines()]


def test_a_finished_run_is_not_changed(corpus: Path) -> None:
    run = start(config_for(corpus, "train.epochs=1"))
    train(run)
    before = run.last_checkpoint.stat().st_mtime_ns
    train(run)
    assert run.last_checkpoint.stat().st_mtime_ns == before


def test_an_update_with_non_finite_loss_changes_no_weight(corpus: Path) -> None:
    config = config_for(corpus)
    run = start(config)
    training = begin(config, open_dataset(run.dataset, config.input), run, lambda covered: None)
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    batch = first_batch(training)
    batch.targets[0, 0, 0] = math.nan
    state = update(training, batch, training.network.initial_state(len(batch.inputs)))
    assert training.position.skipped == 1
    assert all(torch.equal(before[name], value) for name, value in training.network.state_dict().items())
    assert all(torch.isfinite(part).all() for part in state)


def test_lasting_non_finite_losses_restore_the_last_checkpoint(corpus: Path) -> None:
    config = config_for(corpus)
    run = start(config)
    training = begin(config, open_dataset(run.dataset, config.input), run, lambda covered: None)
    good = {name: value.clone() for name, value in training.network.state_dict().items()}
    with torch.no_grad():
        training.network.head.projection.bias.fill_(math.nan)
    batch = first_batch(training)
    for _ in range(SKIPS_BEFORE_ROLLBACK):
        state = update(training, batch, training.network.initial_state(len(batch.inputs)))
    assert training.position.rollbacks == 1
    assert all(torch.equal(good[name], value) for name, value in training.network.state_dict().items())
    update(training, batch, state)
    assert training.position.skipped_in_row == 0


def first_batch(training):  # type: ignore[no-untyped-def]
    from pipeline.data.batching import batches

    plan = epoch_plan(training, 0)
    return next(iter(batches(plan, training.data, training.framing, training.normaliser)))


def test_a_training_that_cannot_be_saved_fails_and_keeps_its_reason(corpus: Path) -> None:
    run = start(
        config_for(corpus, "train.learning_rate=1e30", "train.clip_norm=1e30", "train.warmup_updates=0")
    )
    with pytest.raises(UserError, match="learning_rate"):
        train(run)
    assert run.status()["status"] == "failed"
    assert "learning_rate" in run.status()["reason"]


def test_patience_ends_a_training_that_no_longer_improves(corpus: Path) -> None:
    config = config_for(
        corpus,
        "train.epochs=50",
        "train.patience_epochs=2",
        "train.learning_rate=1e-12",
        "train.warmup_updates=0",
    )
    run = start(config)
    train(run)
    assert json.loads((run.model / "config.json").read_text())["trained"]["epochs"] < 50


def test_a_time_limit_ends_within_the_epoch(corpus: Path) -> None:
    run = start(config_for(corpus, "train.epochs=10000", "train.max_minutes=0.02"))
    train(run)
    trained = json.loads((run.model / "config.json").read_text())["trained"]
    assert trained["updates"] > 0
    assert trained["elapsed_s"] < 30


def test_bfloat16_learns_and_stays_finite(corpus: Path) -> None:
    run = start(config_for(corpus, "train.precision=bfloat16", "train.epochs=4"))
    train(run)
    losses = [
        x["metrics"]["train/nats_per_step"] for x in run.lines() if "train/nats_per_step" in x["metrics"]
    ]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("content", ["silence", "square", "noise"])
def test_extreme_sounds_train_without_a_non_finite_loss(tmp_path: Path, content: str) -> None:
    corpus = write_noisy_tones(tmp_path / content, count=6, seconds=0.3, sample_rate=8000, content=content)
    run = start(config_for(corpus, "train.learning_rate=2e-2", "train.precision=bfloat16"))
    train(run)
    assert run.status()["summary"]["skipped_updates"] == 0
    assert math.isfinite(run.status()["summary"]["valid_nats_per_step"])


def test_a_damaged_checkpoint_is_one_line_not_a_traceback(corpus: Path) -> None:
    run = start(config_for(corpus))
    run.last_checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="damaged checkpoint") as caught:
        train(run)
    assert "\n" not in str(caught.value)


def test_asking_for_a_missing_gpu_is_an_error(corpus: Path) -> None:
    run = start(config_for(corpus, "train.device=cuda:99"))
    with pytest.raises(UserError, match="cuda:99"):
        train(run)
