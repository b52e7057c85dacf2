"""The layout of steps in an encoder-decoder's blocks, and the inputs of its decoder in them."""

from typing import NamedTuple

import torch
from torch import Tensor


class BlockLayout(NamedTuple):
    """Layout of T steps in blocks, per row of a batch: the rest of the running block, then G - 1 or G more.

    Attributes:
        begin: (B, G) the step at which each block, or the rest of one, begins.
        fresh: (B, G) whether it is the block's own beginning.
        block, position: (B, T) in which block each step lies, and how far behind ``begin``.
        phase: (1, B, 1) steps done of the running block after all.
        whole: whether all blocks have M steps.
    """

    begin: Tensor
    fresh: Tensor
    block: Tensor
    position: Tensor
    phase: Tensor
    whole: bool

    @classmethod
    def of(cls, phase: Tensor, steps: int, block_steps: int) -> "BlockLayout":
        """Return the layout of the next steps in blocks; waits for the device.

        Args:
            phase: steps since the last block began, (1, B, 1).
            steps: number of steps, T.
            block_steps: steps of a block, M.
        """
        rest = (-phase[0].long()) % block_steps  # steps until the next block begins
        running = int(rest.any())
        number = torch.arange(-running, -(-steps // block_steps), device=phase.device)
        begin = (rest + block_steps * number).clamp(0, steps - 1)
        time = torch.arange(steps, device=phase.device)
        block = torch.div(time - rest, block_steps, rounding_mode="floor") + running
        position = time - begin.gather(1, block)
        after = (phase + steps) % block_steps
        whole = not running and steps % block_steps == 0
        return cls(begin, (number >= 0).expand_as(begin), block, position, after, whole)

    def last_block(self) -> "BlockLayout":
        """Return the layout with the last block of each row alone, and the last of its steps."""
        last = self.block[:, -1:]
        return self._replace(
            begin=self.begin.gather(1, last),
            fresh=self.fresh.gather(1, last),
            block=torch.zeros_like(last),
            position=self.position[:, -1:],
        )


def mix_in_samples(inputs: Tensor, drawn: Tensor, course: BlockLayout, probability: float) -> Tensor:
    """Return inputs in which some earlier steps of the same block are replaced by drawn values.

    Args:
        inputs: (B, T, D_in).
        drawn: values drawn from the model, (B, T, D).
        course: where the steps lie in their blocks.
        probability: of a step's replacement, which holds for all later steps of its block.

    Raises:
        ValueError: a step's inputs do not hold all values of the step before.
    """
    batch, steps, size = drawn.shape
    seen = inputs.shape[2]
    if seen < size:
        raise ValueError(f"scheduled sampling needs steps that see the {size} values before them, not {seen}")
    chosen = torch.rand(batch, steps, 1, device=drawn.device) < probability
    context = torch.where(chosen[:, :-1], drawn[:, :-1].to(inputs.dtype), inputs[:, 1:, -size:])
    windows = torch.cat([inputs[:, 0], context.flatten(1)], 1).unfold(1, seen, size)
    age = torch.arange(seen, 0, -1, device=inputs.device)
    return torch.where(age <= course.position[..., None] * size, windows, inputs)
