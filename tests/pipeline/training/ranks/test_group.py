"""Two ranks do the updates of one process, and a training resumes with another number of ranks."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.data.batching import batches
from pipeline.data.dataset import open_dataset
from pipeline.tracking.run_folder import ReadOnlyRun, RunFolder
from pipeline.training.begin import begin, epoch_plan
from pipeline.training.checkpoint import read_checkpoint
from pipeline.training.loop import train
from pipeline.training.ranks.group import ALONE, Ranks
from pipeline.training.step import update
from tests.helpers.clusters.ranks import with_ranks
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start, weights

UPDATES = 5
CPU = torch.device("cpu")
NOISY = ["train.weight_noise=0.05", "model.learned_initial_state=true", "train.batch_size=5"]
KINDS = {
    "carried state, uneven lanes": ["model.cell=lstm", "model.num_layers=2", *NOISY],
    "independent chunks": ["train.state=reset", "model.covariance=autoregressive", "train.ema=0.9"],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Recordings of many lengths, so that the lanes of the ranks have different numbers of steps."""
    for number in range(6):
        write_noisy_tones(
            tmp_path / "tones" / str(number), count=2, seconds=0.21 + 0.17 * number, sample_rate=8000
        )
    return tmp_path / "tones"


def do_updates(ranks: Ranks, run: RunFolder, found: Path) -> None:
    """Do some updates, and write the gradients of each, as they are after clipping, and the last weights."""
    folder = run if ranks.first else ReadOnlyRun(run.path)
    config = folder.config()
    training = begin(config, open_dataset(folder.dataset, config.input), folder, lambda _: None, ranks)
    plan = ranks.own_plan(epoch_plan(training, 0))
    state = training.network.initial_state(plan.lanes)
    facts: dict[str, Any] = {"gradients": [], "losses": []}
    for batch, _ in zip(
        batches(plan, training.data, training.framing, training.normaliser), range(UPDATES), strict=False
    ):
        state = update(training, batch, state)
        gradients = {name: weight.grad for name, weight in training.network.named_parameters()}
        facts["gradients"].append({name: each.clone() for name, each in gradients.items()})
        facts["losses"].append(list(training.position.window))
    facts["weights"] = training.network.state_dict()
    facts["state"] = ranks.whole_state(state, training.lanes)
    if ranks.first:
        torch.save(facts, found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_ranks_do_the_updates_of_one_process(corpus: Path, tmp_path: Path, kind: str) -> None:
    settings = ["train.clip_norm=1e9", "train.warmup_updates=0", *KINDS[kind]]
    run = start(config_for(corpus, *settings))
    do_updates(ALONE, run, tmp_path / "one.pt")
    (run.path / "last.pt").unlink()
    with_ranks(2, tmp_path / "meeting", do_updates, run, tmp_path / "two.pt")
    one, two = (torch.load(tmp_path / name) for name in ("one.pt", "two.pt"))
    assert len(one["gradients"]) == UPDATES
    for ours, theirs in zip(two["gradients"], one["gradients"], strict=True):
        for name, gradient in theirs.items():
            assert torch.allclose(ours[name], gradient, rtol=1e-5, atol=1e-5 * gradient.abs().max()), name
    assert torch.allclose(torch.tensor(two["losses"]), torch.tensor(one["losses"]), rtol=1e-5)
    for name, weight in one["weights"].items():
        assert torch.allclose(two["weights"][name], weight, rtol=1e-5, atol=1e-5), name
    for ours, theirs in zip(two["state"], one["state"], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def train_until(ranks: Ranks, run: RunFolder, checkpoints: int) -> None:
    """Train until a number of checkpoints was written, and stop then."""
    count = 0

    def stop(covered: int) -> None:
        nonlocal count
        count += 1
        if count == checkpoints:
            raise KeyboardInterrupt

    train(run if ranks.first else ReadOnlyRun(run.path), stop, ranks)


@pytest.mark.slow
def test_a_training_resumes_with_another_number_of_ranks(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(
        corpus, *KINDS["carried state, uneven lanes"], "train.checkpoint_updates=3", "train.epochs=2"
    )
    whole = start(config)
    train(whole)
    for numbers in ((2, 1, 3), (1, 2)):
        monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "-".join(map(str, numbers))))
        run = start(config)
        for place, count in enumerate(numbers):
            last = place == len(numbers) - 1
            with_ranks(
                count, tmp_path / f"{run.path.parents[1].name}-{place}", train_until, run, 0 if last else 3
            )
            assert (run.status()["status"] == "finished") == last
            if not last:
                state = read_checkpoint(run.last_checkpoint, CPU)["position"]["state"]
                assert {part.shape[1] for part in state} == {5}, "of all lanes, without the empty ones"
        ours, theirs = weights(run), weights(whole)
        for name, weight in theirs.items():
            assert torch.allclose(ours[name], weight, rtol=1e-4, atol=1e-5), name
        steps = [line["step"] for line in run.lines()]
        assert steps == [line["step"] for line in whole.lines()], "one rank writes, and nothing twice"
        assert run.status()["ranks"] == numbers[-1]


def draws(ranks: Ranks) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a rank draws for itself at two updates, and for all after each."""
    torch.manual_seed(0)
    own, common = [], []
    for update_number in (0, 1):
        with ranks.own_draws(7, update_number, CPU):
            own.append(torch.rand(3))
        common.append(torch.rand(3))
    return torch.stack(own), torch.stack(common)


def test_own_draws_differ_and_common_draws_do_not() -> None:
    (first, common), (second, same) = (draws(Ranks(rank, 2, rank)) for rank in (0, 1))
    assert torch.equal(common, same)
    assert len({tuple(row) for row in torch.cat([first, second]).tolist()}) == 4
    torch.manual_seed(0)
    assert torch.equal(common, torch.rand(2, 3)), "one process without own draws has the same"
