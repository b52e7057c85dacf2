"""A damaged checkpoint is recognised, and training resumes from the one before it with the same numbers."""

import random
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.training.checkpoint import (
    Position,
    keep_previous,
    read_checkpoint,
    restore_newest,
    save_checkpoint,
)
from tests.helpers.builders import tiny_model

CPU = torch.device("cpu")


def written(path: Path, epoch: int = 3) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    network = tiny_model(seed=epoch).network
    optimizer = torch.optim.Adam(network.parameters())
    save_checkpoint(path, network, optimizer, Position(epoch=epoch), journal_size=epoch * 100)
    return network, optimizer


def test_every_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    written(path)
    whole, before = path.read_bytes(), read_checkpoint(path, CPU)
    draw, noticed = random.Random(3), 0
    for position in [*draw.sample(range(len(whole)), 100), len(whole) - 1, len(whole) - 50]:
        flipped = bytearray(whole)
        flipped[position] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            after = read_checkpoint(path, CPU)
        except UserError:
            noticed += 1
            continue
        assert all(torch.equal(before["weights"][name], x) for name, x in after["weights"].items()), position
    assert noticed >= 100


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_or_ends_in_zeros_is_rejected(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    written(path)
    whole = path.read_bytes()
    begin = whole[: int(kept * len(whole))]
    for damaged in (begin, begin.ljust(len(whole), b"\0")):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="damaged checkpoint"):
            read_checkpoint(path, CPU)


def test_a_checkpoint_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    torch.save({"weights": {"a": torch.arange(3)}}, tmp_path / "best.pt")
    assert torch.equal(read_checkpoint(tmp_path / "best.pt", CPU)["weights"]["a"], torch.arange(3))


def test_torch_itself_reads_a_checkpoint(tmp_path: Path) -> None:
    network, _ = written(tmp_path / "last.pt")
    found = torch.load(tmp_path / "last.pt", weights_only=True)["weights"]
    assert all(torch.equal(x, network.state_dict()[name]) for name, x in found.items())


def test_a_damaged_last_checkpoint_falls_back_to_the_previous_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    written(last, epoch=1)
    whole = last.read_bytes()
    keep_previous(last, previous)
    network, optimizer = written(last, epoch=2)
    assert previous.read_bytes() == whole
    last.write_bytes(last.read_bytes()[:-900])
    position, journal_size = restore_newest(last, previous, network, optimizer, CPU)  # type: ignore[arg-type]
    assert (position.epoch, journal_size) == (1, 100)
    assert "training resumes from the one before it" in capsys.readouterr().err
    assert last.read_bytes() == whole
    assert not previous.exists()
    last.write_bytes(b"PK")
    with pytest.raises(UserError, match="delete its folder to train again"):
        restore_newest(last, previous, network, optimizer, CPU)  # type: ignore[arg-type]
