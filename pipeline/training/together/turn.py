"""What a training of several in one process has of its own: its random numbers, and on a GPU its stream."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Turn:
    """Entered whenever the process works on one of its trainings.

    Args:
        device: of the training.
        own_stream: whether its work on a GPU is queued beside that of the others. What draws random numbers
            on a GPU must not be: all streams have one generator.
        draws_on_device: whether the host has numbers drawn on the GPU, and not only the graph of an update,
            which sets the generator itself.
    """

    def __init__(self, device: torch.device, own_stream: bool, draws_on_device: bool) -> None:
        self._device, on_gpu = device, device.type == "cuda"
        self._random = torch.get_rng_state()
        self._random_of_device: torch.Tensor | None = None
        if on_gpu and draws_on_device:
            self._random_of_device = torch.cuda.get_rng_state(device)
        self._stream: torch.cuda.Stream | None = None
        if on_gpu and own_stream:
            self._stream = torch.cuda.Stream(device)
            self._stream.wait_stream(torch.cuda.current_stream(device))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Work on the training inside."""
        torch.set_rng_state(self._random)
        if self._random_of_device is not None:
            torch.cuda.set_rng_state(self._random_of_device, self._device)
        try:
            with torch.cuda.stream(self._stream):  # None changes nothing
                yield
        finally:
            self._random = torch.get_rng_state()
            if self._random_of_device is not None:
                self._random_of_device = torch.cuda.get_rng_state(self._device)
