"""The recurrent predictor: a recurrent stack and a head that gives the distribution of the next outputs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from models.convolution import ConvolutionFrontend
from models.distributions.distribution import Distribution
from models.recurrent.stack import RecurrentStack, State, run_stacks


class Predictor(nn.Module):
    """p(outputs of a step | all steps so far).

    Args:
        seen: how many of a step's inputs, counted from the newest, the network reads; a head may
            read older ones.
        recurrent: the layers with memory.
        head: makes a distribution of hidden vectors (..., H) and inputs (..., D_in).
        frontend: causal convolutions between the inputs and the recurrent layers, if any.
        companding_step: where given, the recurrent layers read each input twice, unchanged and companded with
            this quantisation step (see `compand`); not with a front-end.
        output_dropout: share of the hidden values that are dropped before the head while training.
    """

    def __init__(
        self,
        seen: int,
        recurrent: RecurrentStack,
        head: nn.Module,
        frontend: ConvolutionFrontend | None = None,
        companding_step: float | None = None,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.output_dropout = output_dropout
        self.companding_step = companding_step
        self.seen = seen
        self.frontend = frontend
        self.recurrent = recurrent
        self.head = head

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        tails = self.frontend.initial_state(batch_size) if self.frontend else ()
        return *tails, *self.recurrent.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Run over a sequence.

        Args:
            inputs: normalised values before each step, (B, T, D_in).
            state: the state before, as `initial_state` makes it.

        Returns:
            Distributions of batch shape (B, T), and the state after.
        """
        hidden, inputs, state = self.hidden_vectors(inputs, state)
        return self.head(hidden, inputs), state

    def hidden_vectors(self, inputs: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Run over a sequence up to the head.

        Args:
            inputs, state: see `forward`.

        Returns:
            The hidden vectors (B, T, H) and the inputs (B, T, D_in) that the head is called with, and the
            state after.
        """
        return hidden_vectors([self], [inputs], [state])[0]

    def step(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Run one step with the same results as `forward`.

        Args:
            inputs: (B, D_in).
            state: the state before.

        Returns:
            Distributions of batch shape (B,), and the state after.
        """
        hidden, state = self._hidden(inputs[:, None], state)
        return self.head(hidden[:, 0], inputs), state

    def advance(self, inputs: Tensor, state: State) -> State:
        """Return the state after inputs (B, T, D_in), without any distribution."""
        return self._hidden(inputs, state)[1]

    def _hidden(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        features, own, tails = self.features(inputs, state)
        hidden, end = self.recurrent(features, own)
        return hidden, (*tails, *end)

    def features(self, inputs: Tensor, state: State) -> tuple[Tensor, State, State]:
        """Return what the recurrent layers read (B, T, D), their state, and the front-end's after the inputs.

        Args:
            inputs, state: see `forward`.
        """
        seen = inputs[..., -self.seen :]
        if self.companding_step is not None:
            seen = torch.cat([seen, compand(seen, self.companding_step)], -1)
        if self.frontend is None:
            return seen, state, ()
        tails = len(state) - self.recurrent.parts
        features, after = self.frontend(seen, state[:tails])
        return features, state[tails:], after

    def recurrent_parameter_count(self) -> int:
        """Return the number of recurrent weights and biases, which Chung et al. (2014) equalise."""
        return sum(weight.numel() for weight in self.recurrent.parameters())


def hidden_vectors(
    networks: Sequence[Predictor], inputs: Sequence[Tensor], states: Sequence[State]
) -> list[tuple[Tensor, Tensor, State]]:
    """Do for each of some networks what `Predictor.hidden_vectors` does, their recurrent layers in one pass.

    Args:
        networks: with recurrent layers of one cell and one number.
        inputs, states: of each network.
    """
    calls = zip(networks, inputs, states, strict=True)
    found = [network.features(given, state) for network, given, state in calls]
    features, before, tails = zip(*found, strict=True)
    ended = run_stacks([network.recurrent for network in networks], features, before)
    return [
        (dropout(hidden, network.output_dropout, network.training), given, (*tail, *end))
        for network, given, tail, (hidden, end) in zip(networks, inputs, tails, ended, strict=True)
    ]


def compand(values: Tensor, step: float) -> Tensor:
    """Return values on a logarithmic scale, linear within four quantisation steps: asinh(x / 4 steps) / 4.

    Speech is quiet most of the time. At the scale of its loudest moments, the detail of quiet sound is
    too small for a network to resolve. Companding resolves both (as in telephony, ITU-T G.711).

    Args:
        values: normalised values of any shape.
        step: a quantisation step in the same unit.

    Example:
        A factor of 1000 in amplitude becomes one of less than 5:

        >>> import torch
        >>> compand(torch.tensor([0.0, 10.0, 10_000.0]), 1.0)
        tensor([0.0000, 0.4118, 2.1293])
    """
    return torch.asinh(values / (4 * step)) / 4
