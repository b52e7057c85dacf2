"""The moments that rows are normalised by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """Mean, standard deviation and range of the training split, per value of a row (width,).

    Without a range, values are unbounded.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation as float32 tensors (width,)."""
        import torch

        return torch.tensor(self.mean, device=device), torch.tensor(self.std, device=device)
