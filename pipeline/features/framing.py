"""The one home of the arithmetic of steps: which rows a step reads and which it predicts.

A recording is N rows (samples, or frames) of ``width`` values. Step t predicts the rows
``t * hop ... (t + 1) * hop`` and reads the ``window`` rows just before them; rows before the first are
padding. So every row is predicted exactly once, at any length, and is never an input of its own prediction.

With window 20 and hop 10, as in Chung et al. (2014), a recording of 25 samples has 3 steps. Step 0 reads
20 padding zeros and predicts samples 0-9. Step 1 reads 10 zeros and samples 0-9 and predicts 10-19. Step 2
reads samples 0-19 and predicts 20-24, with 5 outputs masked.
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
        window: rows that a step reads.
        hop: rows that a step predicts.
        width: values of a row (1 for samples, the bins of a spectrogram frame).
        unscored: rows at the beginning of a recording that are read but not predicted.
        adaptive: whether a step's inputs are its actual outputs and its row of
            `models.adaptive.step_features`, whose network reads ``window`` past samples.
    """

    window: int
    hop: int
    width: int
    unscored: int = 0
    adaptive: bool = False

    @property
    def input_size(self) -> int:
        """Values that a step reads."""
        return self.window * self.width

    @property
    def target_size(self) -> int:
        """Values that a step predicts, D."""
        return self.hop * self.width

    def steps(self, rows: Count) -> Count:
        """Return the number of steps that cover ``rows`` rows, a number or a tensor; the last may be partial.

        Example:
            >>> framing = Framing(window=20, hop=10, width=1)
            >>> framing.steps(25), framing.steps(30), framing.steps(31)
            (3, 3, 4)
        """
        return -(-rows // self.hop)

    def values(self, rows: Tensor) -> Tensor:
        """Return the numbers of predicted values of recordings of ``rows`` rows each."""
        return (rows - self.unscored).clamp(min=0) * self.width

    def gather(
        self, rows: Tensor, offset: Tensor, length: Tensor, first_step: Tensor, steps: int
    ) -> tuple[Tensor, Tensor]:
        """Select B stretches of one array of rows.

        Args:
            rows: (R, width), many recordings one after the other.
            offset: (B,), the row where each stretch's recording begins.
            length: (B,), rows of that recording.
            first_step: (B,), the step with which each stretch begins.
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
            stretch: (B, window + T * hop, width), with zeros as padding.
            exists: (B, window + T * hop).

        Returns:
            inputs (B, T, window * width), targets (B, T, hop * width), and their mask (B, T, hop * width).
            The inputs are a view where the memory allows it.

        Example:
            A window of 2 and a hop of 1 over three samples, after two rows of padding:

            >>> import torch
            >>> stretch = torch.tensor([0, 0, 5, 6, 7]).reshape(1, 5, 1)
            >>> inputs, targets, _ = Framing(window=2, hop=1, width=1).split(stretch, stretch[..., 0] > 0)
            >>> inputs.tolist(), targets.tolist()
            ([[[0, 0], [0, 5], [5, 6]]], [[[5], [6], [7]]])
        """
        batch, span, _ = stretch.shape
        steps = (span - self.window) // self.hop
        seen = stretch[:, : self.window + (steps - 1) * self.hop].unfold(1, self.window, self.hop)
        inputs = seen.transpose(2, 3).reshape(batch, steps, self.input_size)
        targets = stretch[:, self.window :].reshape(batch, steps, self.target_size)
        mask = exists[:, self.window :, None].expand(-1, -1, self.width)
        return inputs, targets, mask.reshape(batch, steps, self.target_size)

    def join(self, targets: Tensor, rows: int) -> Tensor:
        """Return the rows (rows, width) of one recording from the targets of its steps.

        Args:
            targets: (T, hop * width), all steps.
            rows: number of rows; those of the last step that exceed it are removed.
        """
        return targets.reshape(-1, self.width)[:rows]
