"""Choice and load of the computing device."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import torch

from pipeline.errors import UserError


def choose_device(wanted: str) -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda` or `cuda:1` means on this machine.

    A GPU is the current one of this process from then on: Triton's kernels run on that.

    Raises:
        UserError: a GPU is requested that the machine lacks.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = f"{torch.cuda.device_count()} GPU(s) here"
        raise UserError(f"train.device={wanted}: {found}; use auto or cpu", exit_code=2)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device


def use_fast_products(device: torch.device) -> None:
    """Let a GPU multiply float32 matrices in TensorFloat-32, as its recurrent kernels do already."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, which is faster for the small products of a single stream."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def describe_device(device: torch.device) -> dict[str, Any]:
    """Return facts about the device for the record of a run."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return {"device": properties.name, "device_memory_gib": round(properties.total_memory / 2**30, 1)}
    return {"device": f"CPU, {torch.get_num_threads()} threads"}


def device_use(device: torch.device) -> dict[str, float]:
    """Return the present load of the machine as metrics of a run."""
    process = psutil.Process()
    use = {
        "system/cpu_percent": psutil.cpu_percent(),
        "system/memory_mib": process.memory_info().rss / 2**20,
    }
    if device.type == "cuda":
        use["system/gpu_memory_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
        with suppress(ImportError, RuntimeError):  # needs NVIDIA's management library
            use["system/gpu_percent"] = float(torch.cuda.utilization(device))
    return use
