"""A training loop as PyTorch's tutorials write it, which benchmarks compare with."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from models.distributions.mixture import DiagonalMixture
from models.fused.choice import torch_kernels
from pipeline.data.dataset import Dataset
from pipeline.features.framing import Framing
from pipeline.model.build import Network
from pipeline.training.step import Training


class Chunks(TorchDataset[tuple[Tensor, Tensor]]):
    """Item i is a chunk of windows and targets, copied from the memory map when it is requested."""

    def __init__(self, dataset: Dataset, framing: Framing, steps: int) -> None:
        self.dataset = dataset
        self.framing = framing
        self.rows = steps * framing.hop + framing.window
        self.starts = [
            (int(index), start)
            for index in dataset.require("train")
            for start in range(0, int(dataset.length[index]) - self.rows, self.rows - framing.window)
        ]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        index, start = self.starts[item]
        begin_row = int(self.dataset.offset[index]) + start
        stretch = np.array(self.dataset.rows[begin_row : begin_row + self.rows], np.float32)
        mean, std = self.dataset.normalisation.mean, self.dataset.normalisation.std
        stretch *= self.dataset.representation.unit
        values = (torch.from_numpy(stretch) - torch.tensor(mean)) / torch.tensor(std)
        framing = self.framing
        inputs = values[: -framing.hop].unfold(0, framing.window, framing.hop).transpose(1, 2).flatten(1)
        return inputs, values[framing.window :].reshape(len(inputs), -1)


def plain_updates(training: Training) -> Iterator[None]:
    """Yield after each update of an endless training, with a DataLoader of windows.

    Args:
        training: gives data, network and settings; its weights are trained.
    """
    config, network = training.config, training.network
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    loader = DataLoader(
        Chunks(training.dataset, training.framing, config.bptt_steps),
        config.batch_size,
        shuffle=True,
        drop_last=True,
    )
    while True:
        for inputs, targets in loader:
            plain_update(network, optimizer, inputs.to(training.device), targets.to(training.device))
            yield


def plain_update(network: Network, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> None:
    """Do one update in torch's own kernels, with its mixture distribution where the head is diagonal.

    Args:
        network: the network; its weights change.
        optimizer: of its weights.
        inputs: (B, T, D_in).
        targets: (B, T, D).
    """
    with torch_kernels():
        distribution, _ = network(inputs, network.initial_state(len(inputs)))
    if type(distribution) is DiagonalMixture:
        components = Independent(Normal(distribution.mean, distribution.scale), 1)
        distribution = MixtureSameFamily(Categorical(logits=distribution.logits), components)
    loss = -distribution.log_prob(targets).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    loss.item()
