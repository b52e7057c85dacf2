"""One step of a predictor written out in products of its layers' weights, for export to other runtimes.

`Predictor.step` runs layers made for whole sequences over a sequence of length 1. Here a step is a few matrix
products and elementwise functions, all shapes but the batch's are constants, and each cell is its equations:
so it can be traced into a short graph. It computes the same numbers up to rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from models.convolution import ConvolutionFrontend
from models.distributions.constants import MAX_RAW_SCALE
from models.heads import AutoregressiveMixtureHead, MixtureHead
from models.predictor import Predictor, compand
from models.recurrent.stack import State


class ExplicitStep(nn.Module):
    """A step as a function of tensors alone.

    Attributes:
        state_names: of the state's tensors, in order: `tail_0`, `tail_1`, ... the convolutions' last
            inputs (C, B, D), where they keep any; `hidden` and, for LSTM, `cell` (layers, B, H).
        parameter_names: names of the head's outputs for a step, in order: the attributes of its
            distribution. Left out are an autoregressive one's history, since it is the end of the inputs,
            and the factor of a full covariance of a single output, which is empty.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor
        self.tails = _tails(predictor.frontend)
        self.advance_cell = predictor.recurrent.cell.onnx_step()
        recurrent = list(predictor.recurrent.cell.state_names)
        self.state_names = [f"tail_{index}" for index in range(len(self.tails))] + recurrent
        size = predictor.recurrent.hidden_size
        self.parameter_names = list(self._distribution(next(self.parameters()).new_zeros(1, size)))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: `Predictor.initial_state` without empty tensors."""
        return tuple(part.detach() for part in self.predictor.initial_state(batch_size) if len(part))

    def forward(self, inputs: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the head's parameters, then the state after, in the order of the names.

        Args:
            inputs: (B, D_in).
            *state: the state before, one tensor for each name.
        """
        predictor = self.predictor
        seen = inputs[:, -predictor.seen :]
        if predictor.companding_step is not None:
            seen = torch.cat([seen, compand(seen, predictor.companding_step)], -1)
        after: tuple[Tensor, ...] = ()
        if predictor.frontend is not None:
            seen, after = self._convolve(predictor.frontend, seen, state[: len(self.tails)])
        hidden, end = self._recur(seen, state[len(self.tails) :])
        return (*self._distribution(hidden).values(), *after, *end)

    def _convolve(self, frontend: Any, inputs: Tensor, tails: State) -> tuple[Tensor, State]:
        """Run `ConvolutionFrontend.forward` for a single coarse step of inputs (B, D_in)."""
        size, advance = frontend.window * frontend.width, frontend.advance * frontend.width
        starts = [index * advance for index in range(frontend.stride)]
        hidden = torch.stack([inputs[:, start : start + size] for start in starts], 2)  # (B, D, fine steps)
        after: list[Tensor] = []
        length = len(starts)
        for index, layer in enumerate(frontend.convolutions):
            hidden = hidden[:, :, layer.unseen :] if layer.unseen else hidden
            if index in self.tails:
                hidden = torch.cat([tails[len(after)].permute(1, 2, 0), hidden], 2)
                after.append(hidden[:, :, length:].permute(2, 0, 1))
            hidden = gelu(layer.convolution(hidden))
            length //= frontend.kernels_strides[index][1]
        return hidden.squeeze(2), tuple(after)

    def _recur(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        stack = self.predictor.recurrent
        after = []
        for index, (layer, norm) in enumerate(zip(stack.layers, stack.norms, strict=True)):
            end = self.advance_cell(layer, inputs, tuple(part[index] for part in state))
            hidden = norm(end[0])
            inputs = hidden + inputs if stack.residual and index else hidden
            after.append(end)
        return inputs, tuple(torch.stack(part) for part in zip(*after, strict=True))

    def _distribution(self, hidden: Tensor) -> dict[str, Tensor]:
        head = self.predictor.head
        return _mixture(head, hidden) if isinstance(head, MixtureHead) else dict(vars(head(hidden, hidden)))


def _mixture(head: MixtureHead, hidden: Tensor) -> dict[str, Tensor]:
    """Return the attributes of the head's distribution for hidden vectors (B, H), except its history."""
    logits, middle, raw, *further = head.projection(hidden).split(head.sizes, -1)
    by_component = (-1, head.components)
    scale = raw.reshape(*by_component, head.target_size).clamp(max=MAX_RAW_SCALE).exp() + head.scale_floor
    if isinstance(head, AutoregressiveMixtureHead):
        coefficients = head.start + further[0].reshape(*by_component, head.order) @ head.basis
        return {"logits": logits, "offset": middle, "coefficients": coefficients, "scale": scale}
    size = head.target_size
    found = {"logits": logits, "mean": middle.reshape(*by_component, size), "scale": scale}
    if further and size > 1:
        found["lower"] = further[0].reshape(*by_component, size * (size - 1) // 2)
    return found


def _tails(frontend: ConvolutionFrontend | None) -> list[int]:
    """Return which convolutions read more inputs than a step brings, and so keep some in the state."""
    layers = frontend.kernels_strides if frontend else []
    return [index for index, (kernel, stride) in enumerate(layers) if kernel > stride]


# Of each cell: a layer, inputs (B, D) and its state, (B, H) each, give the state after; the output is its
# first part.


def tanh_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return the state (B, H) after one step of torch's tanh layer, for inputs (B, D) and a state (B, H)."""
    own = linear(inputs, layer.weight_ih_l0, layer.bias_ih_l0)
    return (torch.tanh(own + linear(state[0], layer.weight_hh_l0, layer.bias_hh_l0)),)


def gru_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return the state after one step of torch's GRU, as `tanh_step`."""
    (hidden,) = state
    own = linear(inputs, layer.weight_ih_l0, layer.bias_ih_l0).split(layer.hidden_size, -1)
    carried = linear(hidden, layer.weight_hh_l0, layer.bias_hh_l0).split(layer.hidden_size, -1)
    r, z = (torch.sigmoid(new + old) for new, old in zip(own[:2], carried[:2], strict=True))
    g = torch.tanh(own[2] + r * carried[2])
    return (g + z * (hidden - g),)


def lstm_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return hidden state and cell after one step of torch's LSTM, as `tanh_step`."""
    hidden, cell = state
    own = linear(inputs, layer.weight_ih_l0, layer.bias_ih_l0)
    total = own + linear(hidden, layer.weight_hh_l0, layer.bias_hh_l0)
    i, f, g, o = total.split(layer.hidden_size, -1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def chung2014_tanh_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return the state after one step of `chung2014-tanh`, as `tanh_step`."""
    return (torch.tanh(linear(inputs, layer.weight_ih, layer.bias) + linear(state[0], layer.weight_hh)),)


def chung2014_gru_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return the state after one step of `chung2014-gru`, as `tanh_step`."""
    (hidden,), size = state, layer.hidden_size
    r, z, g = linear(inputs, layer.weight_ih, layer.bias).split(size, -1)
    of_r, of_z, of_g = layer.weight_hh.split(size)
    r, z = torch.sigmoid(r + linear(hidden, of_r)), torch.sigmoid(z + linear(hidden, of_z))
    g = torch.tanh(g + linear(r * hidden, of_g))
    return (hidden + z * (g - hidden),)


def chung2014_lstm_step(layer: Any, inputs: Tensor, state: State) -> State:
    """Return hidden state and cell after one step of `chung2014-lstm`, as `tanh_step`."""
    hidden, cell = state
    total = linear(inputs, layer.weight_ih, layer.bias) + linear(hidden, layer.weight_hh)
    i, f, g, o = total.split(layer.hidden_size, -1)
    of_i, of_f, of_o = layer.peephole.unbind()
    i, f = torch.sigmoid(i + of_i * cell), torch.sigmoid(f + of_f * cell)
    cell = f * cell + i * torch.tanh(g)
    return torch.sigmoid(o + of_o * cell) * torch.tanh(cell), cell
