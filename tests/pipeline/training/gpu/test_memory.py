"""Tensors in one piece of memory are the same numbers, and views of it."""

import torch

from pipeline.training.gpu.memory import ALIGNMENT, Memory


def test_tensors_are_copied_into_one_piece_and_stay_apart() -> None:
    given = [torch.randn(3, 30), torch.randn(()), torch.randn(ALIGNMENT), torch.randn(2, 1, 5)]
    memory = Memory.of(given)
    assert all(map(torch.equal, memory.parts, given))
    torch.testing.assert_close(memory.whole.square().sum(), sum(each.square().sum() for each in given))
    assert all(part.storage_offset() % ALIGNMENT == 0 for part in memory.parts)
    memory.whole.fill_(7.0)
    assert all(bool((part == 7).all()) for part in memory.parts)
    memory.parts[1].fill_(1.0)
    assert int((memory.whole != 7).sum()) == 1
