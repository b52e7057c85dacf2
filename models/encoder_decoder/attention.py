"""Attention of a decoder over an encoder's last outputs.

As in Bahdanau, Cho and Bengio (2015), the decoder's state is the query, and the result joins its next inputs.
The score is the bilinear one of Luong, Pham and Manning (2015), scaled as by Vaswani et al. (2017): it
has no hidden layer for every pair of query and entry, so a query at each step is cheap.
"""

import math

import torch
from torch import Tensor, nn


class BilinearAttention(nn.Module):
    """Weights softmax(q' W e / sqrt(H)) over C entries e of a memory, and the entries' mean under them.

    Args:
        hidden_size: H, of queries and of entries.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.question = nn.Linear(hidden_size, hidden_size, bias=False)
        self.scale = 1 / math.sqrt(hidden_size)

    def forward(self, state: Tensor, entries: Tensor, present: Tensor) -> Tensor:
        """Return the attended mean (N, H) of entries.

        Args:
            state: query states (N, H).
            entries: (N, C, H).
            present: (N, C); entries where it is false are left out. If none is present, the result is
                meaningless but finite.
        """
        asked = self.question(state).unsqueeze(-1)
        scores = torch.bmm(entries, asked.to(entries.dtype)).squeeze(-1) * self.scale
        scores = scores.masked_fill(~present, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, -1).to(entries.dtype)
        return torch.bmm(weights.unsqueeze(1), entries).squeeze(1)


def pack_memory(hidden: Tensor) -> Tensor:
    """Return hidden states (..., H) as entries (..., H + 1): the last value marks them as present."""
    return torch.cat([hidden, torch.ones_like(hidden[..., :1])], -1)


def unpack_memory(memory: Tensor) -> tuple[Tensor, Tensor]:
    """Return a memory (C, N, H + 1) as entries (N, C, H) and whether each is present (N, C)."""
    by_row = memory.transpose(0, 1)
    return by_row[..., :-1].contiguous(), by_row[..., -1] > 0
