"""Attention of a decoder over what an encoder remembers of its last steps.

Where Bahdanau, Cho and Bengio (2015) put it: the decoder's state asks, and the answer joins its next inputs.
The score is the bilinear one of Luong, Pham and Manning (2015), scaled as by Vaswani et al. (2017): no
hidden layer for every pair of question and memory, which makes it cheap where each step asks anew.
"""

import math

import torch
from torch import Tensor, nn


class BilinearAttention(nn.Module):
    """Weights softmax(q' W e / sqrt(H)) over C entries e of a memory, and the entries' mean under them.

    Args:
        hidden_size: H, of questions and of entries.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.question = nn.Linear(hidden_size, hidden_size, bias=False)
        self.scale = 1 / math.sqrt(hidden_size)

    def forward(self, state: Tensor, entries: Tensor, present: Tensor) -> Tensor:
        """What states (N, H) find among entries (N, C, H), as (N, H).

        Entries where ``present`` (N, C) is false are left out; where none is present, what comes out is
        without meaning, but finite.
        """
        asked = self.question(state).unsqueeze(-1)
        scores = torch.bmm(entries, asked.to(entries.dtype)).squeeze(-1) * self.scale
        scores = scores.masked_fill(~present, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, -1).to(entries.dtype)
        return torch.bmm(weights.unsqueeze(1), entries).squeeze(1)


def pack_memory(hidden: Tensor) -> Tensor:
    """Hidden states (..., H) as entries (..., H + 1) of a memory: the last value marks them as present."""
    return torch.cat([hidden, torch.ones_like(hidden[..., :1])], -1)


def unpack_memory(memory: Tensor) -> tuple[Tensor, Tensor]:
    """A memory (C, N, H + 1) as entries (N, C, H) and whether each is present (N, C)."""
    by_row = memory.transpose(0, 1)
    return by_row[..., :-1].contiguous(), by_row[..., -1] > 0
