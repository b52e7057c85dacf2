"""Pieces are transposed as a whole, no further than the keyboard reaches, and the same way after a kill."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.loading import load_config
from pipeline.data.transposition import TransposedPieces
from pipeline.music.midi import KEYS
from tests.helpers.builders import join_rows
from tests.helpers.notes import some_roll
from tests.pipeline.training.test_loop import interrupted_is_uninterrupted

SEMITONES = 5


def piece(seed: int, lowest: int, highest: int) -> np.ndarray:
    """A piece that reaches from one key to another."""
    roll = some_roll(20 + seed, seed)
    roll[:, :lowest] = roll[:, highest + 1 :] = 0
    roll[3, [lowest, highest]] = 1
    return roll


PIECES = [piece(0, 20, 60), piece(1, 2, 70), piece(2, 30, KEYS - 1), piece(3, 0, KEYS - 1)]
"""One in the middle, one near either end, and one that fills the keyboard."""


def rolls(transposed: TransposedPieces) -> list[np.ndarray]:
    data = transposed.data
    places = zip(data.offset.tolist(), data.length.tolist(), strict=True)
    return [data.rows[begin : begin + length].numpy() for begin, length in places]


def test_a_piece_keeps_all_its_notes_and_moves_as_far_as_it_may() -> None:
    transposed = TransposedPieces(join_rows(PIECES), SEMITONES, seed=0)
    moves = []
    for epoch in range(200):
        moves.append(transposed.begin_epoch(epoch))
        for roll, original, move in zip(rolls(transposed), PIECES, moves[-1].tolist(), strict=True):
            notes, keys = np.nonzero(original)
            assert np.array_equal(np.stack(np.nonzero(roll)), np.stack([notes, keys + move]))
    ranges = [(-5, 5), (-2, 5), (-5, 0), (0, 0)]
    assert [set(column) for column in np.transpose(moves).tolist()] == [
        set(range(low, high + 1)) for low, high in ranges
    ]


def test_an_epoch_is_transposed_the_same_way_whatever_was_before() -> None:
    one, other = (TransposedPieces(join_rows(PIECES), SEMITONES, seed=3) for _ in range(2))
    rows = one.data.rows
    for epoch in range(8):
        one.begin_epoch(epoch)
    other.begin_epoch(7)
    assert torch.equal(one.data.rows, other.data.rows)
    assert one.data.rows is rows  # a recorded update reads these addresses in every epoch
    assert not np.array_equal(one.begin_epoch(8), TransposedPieces(one.original, 5, seed=4).begin_epoch(8))


def test_a_silent_piece_stays_where_it_is() -> None:
    transposed = TransposedPieces(join_rows([np.zeros((9, KEYS), np.uint8)]), SEMITONES, seed=0)
    assert transposed.begin_epoch(0).tolist() == [0]
    assert not transposed.data.rows.any()


@pytest.mark.parametrize("state", ["carried", "reset"])
def test_an_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path, state: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = ("train", "valid", "test")
    rolls = {f"{split}_rolls": some_roll(240, seed) for seed, split in enumerate(splits)}
    lengths = {f"{split}_lengths": np.full(4, 60) for split in splits}
    np.savez(tmp_path / "set.npz", **rolls, **lengths)
    settings = {
        "corpus.inputs": [str(tmp_path / "set.npz")],
        "input.kind": "piano-roll",
        "model.head": "bernoulli",
        "model.hidden_size": 8,
        "train.transpose_semitones": SEMITONES,
        "train.state": state,
        "train.epochs": 3,
        "train.batch_size": 2,
        "train.bptt_steps": 20,
        "train.checkpoint_updates": 2,
        "train.device": "cpu",
    }
    config = load_config(None, [f"{key}={value}" for key, value in settings.items()])
    interrupted_is_uninterrupted(config, own_data_dir, monkeypatch)
