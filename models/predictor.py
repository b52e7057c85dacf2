"""The recurrent predictor: a recurrent stack and a head that says how the next outputs are distributed."""

from torch import Tensor, nn

from models.heads import GaussianMixtureHead
from models.mixture import GaussianMixture
from models.recurrent import RecurrentStack, State


class Predictor(nn.Module):
    """p(outputs of a step | all steps so far), as `GaussianMixture` distributions.

    Args:
        input_size: features of a step that the model sees.
        target_size: values that it predicts, D.
        cell, hidden_size, num_layers, dropout: see `RecurrentStack`.
        mixture_components: K.
        scale_floor: smallest standard deviation, in units of the outputs.
    """

    def __init__(
        self,
        input_size: int,
        target_size: int,
        cell: str,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        mixture_components: int,
        scale_floor: float,
    ) -> None:
        super().__init__()
        self.recurrent = RecurrentStack(cell, input_size, hidden_size, num_layers, dropout)
        self.head = GaussianMixtureHead(hidden_size, target_size, mixture_components, scale_floor)

    def initial_state(self, batch_size: int) -> State:
        """What the model remembers before the first step."""
        return self.recurrent.initial_state(batch_size)

    def forward(self, inputs: Tensor, state: State) -> tuple[GaussianMixture, State]:
        """Inputs (B, T, D_in) and a state give distributions of batch shape (B, T) and the state after."""
        hidden, state = self.recurrent(inputs, state)
        return self.head(hidden), state

    def step(self, inputs: Tensor, state: State) -> tuple[GaussianMixture, State]:
        """One step: inputs (B, D_in) give distributions of batch shape (B,); equals `forward`."""
        hidden, state = self.recurrent.step(inputs, state)
        return self.head(hidden), state

    def recurrent_parameter_count(self) -> int:
        """Weights and biases of the recurrent layers, the count that the study equalises."""
        return sum(weight.numel() for weight in self.recurrent.parameters())
