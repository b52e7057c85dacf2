"""Train a custom output distribution, a Laplace head on the recurrent layers, in plain torch.

A head maps hidden vectors (B, T, H) and inputs (B, T, D_in) to an object with `log_prob`.
"""

import torch
from synthetic import plucks
from torch import Tensor, nn

from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack

WINDOW, HOP, HIDDEN = 8, 4, 32


class Laplace:
    """Independent Laplace distributions of batch shape (B, T) over D values."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        self.of_values = torch.distributions.Laplace(mean, scale)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.of_values.log_prob(value).sum(-1)


class LaplaceHead(nn.Module):
    def __init__(self, hidden_size: int, target_size: int, scale_floor: float = 1e-3) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, 2 * target_size)
        self.scale_floor = scale_floor

    def forward(self, hidden: Tensor, inputs: Tensor) -> Laplace:
        mean, raw = self.projection(hidden).chunk(2, -1)
        return Laplace(mean, raw.clamp(max=7).exp() + self.scale_floor)


torch.manual_seed(0)
samples = torch.stack([torch.from_numpy(plucks(1.0, seed)) for seed in range(8)]) / 0.1
inputs = samples.unfold(1, WINDOW, HOP)[:, :-1]  # (B, T, WINDOW)
targets = samples[:, WINDOW:].unfold(1, HOP, HOP)[:, : inputs.shape[1]]  # (B, T, HOP), what follows each
network = Predictor(WINDOW, RecurrentStack("gru", WINDOW, HIDDEN, 1, 0.0), LaplaceHead(HIDDEN, HOP))
optimiser = torch.optim.Adam(network.parameters(), 3e-3)
for update in range(60):
    distribution, _ = network(inputs, network.initial_state(len(inputs)))
    loss = -distribution.log_prob(targets).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if update % 20 == 0 or update == 59:
        print(f"update {update}: {loss.item():.3f} nats per step")
