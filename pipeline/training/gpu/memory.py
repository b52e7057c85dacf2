"""Tensors in one piece of memory, so that one operation reads or writes all of them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

ALIGNMENT = 64
"""Each tensor begins at a multiple of so many numbers, where the widest loads of a GPU may begin."""


class Memory(NamedTuple):
    """Tensors in one piece of memory.

    Attributes:
        whole: (S,) all numbers, with zeros between the tensors.
        parts: the tensors, views of it.
    """

    whole: Tensor
    parts: tuple[Tensor, ...]

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> "Memory":
        """Return a copy of tensors of one type and device in one piece of memory."""
        ends = [0]
        for each in tensors:
            ends.append(ends[-1] + -(-each.numel() // ALIGNMENT) * ALIGNMENT)
        whole = tensors[0].new_zeros(ends[-1])
        parts = tuple(
            whole[begin : begin + each.numel()].view(each.shape)
            for begin, each in zip(ends[:-1], tensors, strict=True)
        )
        torch._foreach_copy_(parts, [each.detach() for each in tensors])
        return cls(whole, parts)
