"""The average of the weights is the stated sum, is resumed exactly, and the better weights are kept."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.model.storage import load_model
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.averaging import WeightAverage, warmed_up_decay
from pipeline.training.loop import train
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def test_the_average_is_the_weighted_sum_of_all_weights_so_far() -> None:
    network = nn.Linear(3, 2).double()
    average = WeightAverage(network, decay=0.6)
    seen = [network.weight.detach().clone()]
    for _ in range(20):
        with torch.no_grad():
            network.weight += torch.randn_like(network.weight)
        seen.append(network.weight.detach().clone())
        average.update(network)
    decays = [warmed_up_decay(0.6, update) for update in range(1, 21)]
    shares = [torch.tensor([1.0, *(1 - d for d in decays)], dtype=torch.float64)[k] for k in range(21)]
    for k, share in enumerate(shares):
        for decay in decays[k:]:
            share *= decay
    assert sum(shares).item() == pytest.approx(1.0)
    expected = sum(share * weight for share, weight in zip(shares, seen, strict=True))
    assert torch.allclose(average.weights["weight"], expected, atol=1e-12)


def test_the_network_has_its_own_weights_again_after_the_average_was_used() -> None:
    network = nn.Linear(3, 2)
    average = WeightAverage(network, decay=0.9)
    with torch.no_grad():
        network.weight.zero_()
    average.update(network)
    own = {name: weight.clone() for name, weight in network.state_dict().items()}
    with average.applied(network):
        assert not torch.equal(network.weight, own["weight"])
    assert all(torch.equal(weight, own[name]) for name, weight in network.state_dict().items())


def content(run: RunFolder) -> dict[str, dict[str, torch.Tensor]]:
    found = torch.load(run.last_checkpoint, weights_only=True)
    return {"weights": found["weights"], "average": found["average"]["weights"]}


def test_an_interrupted_training_ends_with_the_same_average(
    corpus: Path, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(corpus, "train.ema=0.9", "train.epochs=2")
    interrupted = start(config)

    class Killed(Exception):
        pass

    checkpoints = 0

    def stop(covered: int) -> None:
        nonlocal checkpoints
        checkpoints += 1
        if checkpoints == 3:
            raise Killed

    with pytest.raises(Killed):
        train(interrupted, stop)
    train(interrupted)
    monkeypatch.setenv("WAVECAST_DATA", str(own_data_dir / "whole"))
    whole = start(config)
    train(whole)
    expected, found = content(whole), content(interrupted)
    for part, weights in expected.items():
        assert all(torch.equal(found[part][name], weight) for name, weight in weights.items()), part


@pytest.mark.parametrize(("decay", "kept"), [(0.999, "last"), (0.8, "average")])
def test_the_weights_with_the_lower_validation_loss_are_kept(corpus: Path, decay: float, kept: str) -> None:
    # Steps that are too large scatter around the optimum, where an average is better. An average over
    # everything since the initial weights is worse than weights that still improve.
    scattered = ["train.learning_rate=0.06", "train.schedule=constant", "train.batch_size=2"]
    large = scattered if kept == "average" else []
    run = start(config_for(corpus, f"train.ema={decay}", "train.epochs=3", *large))
    train(run)
    lines = [line["metrics"] for line in run.lines() if "valid/nats_per_step" in line["metrics"]]
    last = min(line["valid/nats_per_step"] for line in lines)
    average = min(line["valid/ema_nats_per_step"] for line in lines)
    summary = run.status()["summary"]
    assert summary["best_weights"] == kept == ("average" if average < last else "last")
    assert summary["valid_nats_per_step"] == min(last, average)
    best = torch.load(run.best_checkpoint, weights_only=True)["weights"]
    model = load_model(run.model).weights()
    assert all(torch.equal(torch.from_numpy(model[name]), weight) for name, weight in best.items())
