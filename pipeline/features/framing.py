"""The one home of the arithmetic of steps: which rows a step sees and which it predicts.

A recording is N rows (samples, or frames) of ``width`` values. Step t predicts the rows
``t * hop ... (t + 1) * hop`` and sees the ``window`` rows just before them; rows before the first are
padding. So every row is predicted exactly once, at any length, and never seen by its own prediction.

With the study's window 20 and hop 10 (Chung et al. 2014), a recording of 25 samples has 3 steps: step 0 sees
20 padding zeros and predicts samples 0-9; step 1 sees 10 zeros and samples 0-9 and predicts 10-19; step 2
sees samples 0-19 and predicts 20-24, with 5 outputs masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Count = TypeVar("Count", int, "Tensor")


@dataclass(frozen=True)
class Framing:
    """Rows to steps.

    Attributes:
        window: rows that a step sees.
        hop: rows that a step predicts.
        width: values of a row (1 for samples, the bins of a spectrogram frame).
        unscored: rows at the beginning of a recording that are seen but not asked for.
    """

    window: int
    hop: int
    width: int
    unscored: int = 0

    @property
    def input_size(self) -> int:
        """Values that a step sees."""
        return self.window * self.width

    @property
    def target_size(self) -> int:
        """Values that a step predicts, D."""
        return self.hop * self.width

    def steps(self, rows: Count) -> Count:
        """Steps that cover ``rows`` rows, one number or a tensor of them; the last may be partial."""
        return -(-rows // self.hop)

    def values(self, rows: Tensor) -> Tensor:
        """Predicted values of recordings of ``rows`` rows each."""
        return (rows - self.unscored).clamp(min=0) * self.width

    def gather(
        self, rows: Tensor, offset: Tensor, length: Tensor, first_step: Tensor, steps: int
    ) -> tuple[Tensor, Tensor]:
        """Cut B stretches out of one array of rows.

        Args:
            rows: (R, width), many recordings one after the other.
            offset: (B,) the row where each stretch's recording begins.
            length: (B,) rows of that recording.
            first_step: (B,) the step with which each stretch begins.
            steps: T.

        Returns:
            The stretches (B, window + T * hop, width), and (B, window + T * hop) whether each row exists;
            the others hold arbitrary values.
        """
        import torch

        span = torch.arange(self.window + steps * self.hop, device=rows.device)
        position = (first_step * self.hop - self.window)[:, None] + span
        exists = (position >= 0) & (position < length[:, None])
        return rows[(offset[:, None] + position).clamp(0, rows.shape[0] - 1)], exists

    def split(self, stretch: Tensor, exists: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn stretches into steps.

        Args:
            stretch: (B, window + T * hop, width), padding already zeroed.
            exists: (B, window + T * hop).

        Returns:
            inputs (B, T, window * width), targets (B, T, hop * width), and their mask (B, T, hop * width).
            The inputs are a view where the memory allows it.
        """
        batch, span, _ = stretch.shape
        steps = (span - self.window) // self.hop
        seen = stretch[:, : self.window + (steps - 1) * self.hop].unfold(1, self.window, self.hop)
        inputs = seen.transpose(2, 3).reshape(batch, steps, self.input_size)
        targets = stretch[:, self.window :].reshape(batch, steps, self.target_size)
        mask = exists[:, self.window :, None].expand(-1, -1, self.width)
        return inputs, targets, mask.reshape(batch, steps, self.target_size)

    def join(self, targets: Tensor, rows: int) -> Tensor:
        """The rows (rows, width) of one recording from the targets (T, hop * width) of all its steps."""
        return targets.reshape(-1, self.width)[:rows]
