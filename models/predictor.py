"""The recurrent predictor: a recurrent stack and a head that gives the distribution of the next outputs."""

import torch
from torch import Tensor, nn

from models.convolution import ConvolutionFrontend
from models.distributions.distribution import Distribution
from models.recurrent.stack import RecurrentStack, State


class Predictor(nn.Module):
    """p(outputs of a step | all steps so far).

    Args:
        seen: how many of a step's inputs, counted from the newest, the network reads; a head may look
            further back.
        recurrent: the layers with memory.
        head: makes a distribution of hidden vectors (..., H) and inputs (..., D_in).
        frontend: causal convolutions between the inputs and the recurrent layers, if any.
        companding_step: where given, the recurrent layers read each input twice, as it is and companded with
            this quantisation step (see `compand`); not with a front-end.
    """

    def __init__(
        self,
        seen: int,
        recurrent: RecurrentStack,
        head: nn.Module,
        frontend: ConvolutionFrontend | None = None,
        companding_step: float | None = None,
    ) -> None:
        super().__init__()
        self.companding_step = companding_step
        self.seen = seen
        self.frontend = frontend
        self.recurrent = recurrent
        self.head = head

    def initial_state(self, batch_size: int) -> State:
        """What the model remembers before the first step."""
        tails = self.frontend.initial_state(batch_size) if self.frontend else ()
        return *tails, *self.recurrent.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Inputs (B, T, D_in) and a state give distributions of batch shape (B, T) and the state after."""
        hidden, state = self._hidden(inputs, state)
        return self.head(hidden, inputs), state

    def step(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """One step: inputs (B, D_in) give distributions of batch shape (B,); equals `forward`."""
        hidden, state = self._hidden(inputs[:, None], state)
        return self.head(hidden[:, 0], inputs), state

    def advance(self, inputs: Tensor, state: State) -> State:
        """The state after inputs (B, T, D_in), without any distribution."""
        return self._hidden(inputs, state)[1]

    def _hidden(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        seen = inputs[..., -self.seen :]
        if self.companding_step is not None:
            seen = torch.cat([seen, compand(seen, self.companding_step)], -1)
        if self.frontend is None:
            hidden, state = self.recurrent(seen, state)
            return hidden, state
        tails = len(state) - self.recurrent.parts
        features, after = self.frontend(seen, state[:tails])
        hidden, end = self.recurrent(features, state[tails:])
        return hidden, (*after, *end)

    def recurrent_parameter_count(self) -> int:
        """Weights and biases of the recurrent layers, the count that the study equalises."""
        return sum(weight.numel() for weight in self.recurrent.parameters())


def compand(values: Tensor, step: float) -> Tensor:
    """Values on a logarithmic scale, linear within four quantisation steps: asinh(x / 4 steps) / 4.

    Speech is quiet most of the time. At the scale of its loudest moments, what then matters is too small for
    a network to see, as it is for an ear; companding makes both visible (as in telephony, ITU-T G.711).
    """
    return torch.asinh(values / (4 * step)) / 4
