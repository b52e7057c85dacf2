"""A causal front-end of strided convolutions over the steps of a sequence, before the recurrent layers.

Strided convolutions shorten the sequence that a recurrent network reads, as in the first layers of speech
recognisers (Amodei et al. 2016); made causal by what lies before the sequence alone (van den Oord et al.
2016), they hold for prediction too. Each layer keeps the end of its own input, so chunks join without a
seam, and a single step is a chunk of length 1.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models.recurrent.stack import State

Layer = Sequence[int]
"""Channels, kernel and stride of one convolution; kernel and stride in steps of that layer's own input."""


def alignment(layers: Sequence[Layer]) -> tuple[int, int]:
    """Return ``first`` and ``stride``: outputs of unpadded convolutions predict ``targets[first::stride]``.

    Where target t is what comes after input t, an output belongs to the newest input that it reads. With one
    layer of kernel 4 and stride 2 that gives (3, 2): output 0 reads inputs 0-3 and predicts target 3.
    Output 1 reads inputs 2-5 and predicts target 5, so the sequence halves and the
    targets are ``targets[3::2]``.

    Of several layers, each counts its kernel in steps that are as long as the strides below it make them:
    an output reads R = 1 + sum over layers l of (kernel_l - 1) * (product of the strides below l) inputs, and
    ``first`` is R - 1.
    """
    first, stride = 0, 1
    for _, kernel, own_stride in layers:
        first += (kernel - 1) * stride
        stride *= own_stride
    return first, stride


class CausalConvolution(nn.Module):
    """One convolution and its GELU; each output ends with a group of ``stride`` inputs.

    Args:
        size: D, values of an input.
        channels: values of an output.
        kernel: inputs that an output reads; where fewer than the stride, a group's first inputs are skipped.
        stride: inputs from one output to the next.
    """

    def __init__(self, size: int, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(size, channels, kernel, stride)
        self.unseen = max(stride - kernel, 0)

    def forward(self, inputs: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve whole groups of inputs.

        Args:
            inputs: (B, D, N), with N a multiple of the stride.
            tail: the inputs before these, (C, B, D).

        Returns:
            Outputs (B, channels, N / stride), and the tail after, of the same type as the one before.
        """
        joined = torch.cat([tail.permute(1, 2, 0), inputs[..., self.unseen :]], -1)
        end = joined[..., joined.shape[-1] - len(tail) :].permute(2, 0, 1)
        # Under automatic mixed precision the inputs may be shorter numbers than the tail.
        return gelu(self.convolution(joined)), end.to(tail.dtype)


class ConvolutionFrontend(nn.Module):
    """Fine steps in, coarse steps out: S fine steps, the product of the strides, for each coarse one.

    A fine step reads ``window`` rows, and the next one the rows that lie ``advance`` later. A coarse step
    is one prediction; it covers S * advance rows, and its inputs are the rows that its S fine steps read. The
    newest fine step that it reads ends where its predicted rows begin, the oldest is `alignment`'s ``first``
    fine steps before that, however many coarse steps ago. Before a recording there is silence: the state
    begins with what the layers make of zeros, so zeros in front of a recording change nothing.

    GELU (Hendrycks and Gimpel 2016) follows every convolution, the last one too: without it, that one and
    the input weights of the recurrent layer would be a single linear map. Unlike tanh it does not saturate:
    loud samples, ten and more standard deviations from the mean, keep their size and their gradient.

    Args:
        window: rows that a fine step reads.
        advance: rows from one fine step to the next.
        width: values of a row.
        layers: channels, kernel and stride of each convolution, at least one.
    """

    def __init__(self, window: int, advance: int, width: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        if not layers:
            raise ValueError("a front-end needs at least one convolution")
        self.window, self.advance, self.width = window, advance, width
        self.stride = math.prod(stride for _, _, stride in layers)
        sizes = [window * width] + [channels for channels, _, _ in layers]
        self.output_size = sizes[-1]
        self.kernels_strides = [(kernel, stride) for _, kernel, stride in layers]
        self.convolutions = nn.ModuleList(
            CausalConvolution(size, *layer) for size, layer in zip(sizes, layers, strict=False)
        )

    @property
    def input_rows(self) -> int:
        """Rows of a coarse step's inputs: S windows, each ``advance`` rows after the one before."""
        return self.window + (self.stride - 1) * self.advance

    def initial_state(self, batch_size: int) -> State:
        """Return each layer's state after silence: the last inputs that its next output needs, (C, B, D).

        C = kernel - stride, or 0 where the stride is larger. On the device and of the type of the weights.
        """
        level = next(self.parameters()).new_zeros(1, 1, self.window * self.width)
        tails = []
        with torch.autocast(level.device.type, enabled=False):
            for layer, (kernel, stride) in zip(self.convolutions, self.kernels_strides, strict=True):
                context = max(kernel - stride, 0)
                tails.append(level.expand(context, batch_size, -1))
                group = level.transpose(1, 2).expand(-1, -1, stride)
                level = layer(group, level.expand(context, -1, -1))[0].transpose(1, 2)
        return tuple(tails)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Convert the rows of coarse steps to features for the recurrent layers.

        Args:
            inputs: (B, T, input_rows * width), the rows of each coarse step, oldest first.
            state: the tail of each convolution, (C, B, D).

        Returns:
            Features (B, T, output_size), and the state after.
        """
        hidden = self._fine_steps(inputs).transpose(1, 2)
        after = []
        for convolution, tail in zip(self.convolutions, state, strict=True):
            hidden, end = convolution(hidden, tail)
            after.append(end)
        return hidden.transpose(1, 2), tuple(after)

    def _fine_steps(self, inputs: Tensor) -> Tensor:
        """Return coarse inputs (B, T, input_rows * width) as fine ones (B, T * S, window * width)."""
        rows = inputs.unflatten(-1, (self.input_rows, self.width))
        windows: Tensor = rows.unfold(2, self.window, self.advance).transpose(3, 4)
        return windows.flatten(3).flatten(1, 2)
