"""Speed of generation: compiled and torch loops against a plain PyTorch loop, for one take and for many.

The rounds of the loops alternate, since a shared machine's speed drifts. Ratios are medians over rounds.
"""

import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from models.recurrent.cells import CELLS, Cell, find_cell, load
from pipeline.benchmarks.timing import alternating_seconds
from pipeline.common.devices import describe_device, one_thread
from pipeline.config.inputs import WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.features.normalisation import Normalisation
from pipeline.generation.free_running import FreeRun
from pipeline.generation.free_running_compiled import CompiledFreeRun
from pipeline.generation.free_running_torch import TorchFreeRun
from pipeline.generation.options import Draws, SamplingOptions
from pipeline.model.build import build_network
from pipeline.model.trained_model import TrainedModel

BATCHES = (1, 16, 256)
ROUNDS = 5
STEPS = {1: 512, 16: 128, 256: 32}


def bench_generation(model: TrainedModel | None = None) -> list[dict[str, Any]]:
    """Measure steps per second of each loop, for each model and number of takes, on one core.

    Without a model, every cell that is registered with a size, with fresh weights: 20 samples in, 10 out, 20
    Gaussians.
    The plain loop is what one writes first: torch's layer on one step, a linear layer, a choice of component
    and a normal draw of its outputs, fed back; it neither rounds to samples nor guards the level.

    Returns:
        A row for each, on a GPU too where there is one: ``cell``, ``takes``, the ``device`` of all but the
        compiled loop, steps a second of all takes together in the ``compiled`` loop where there is one, in
        ``torch`` (on a GPU as a graph) and in the ``plain`` loop where the cell is torch's, ``ratio`` of the
        fastest of the first two to the last of these, ``real_time`` (seconds of all takes' sound for a
        second of that), and the process's ``memory_mib``.
    """
    models = (
        {model.model.cell: model}
        if model
        else {cell.name: _untrained(cell) for cell in CELLS.values() if cell.size}
    )
    rows = []
    with one_thread():
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            for cell, each in models.items():
                each.network.to(device)
                rows += [_row(cell, each, takes) for takes in BATCHES]
    return rows


def _untrained(cell: Cell) -> TrainedModel:
    assert cell.size is not None
    units, layers = cell.size
    settings = ModelConfig(cell=cell.name, hidden_size=units, num_layers=layers)
    config, normalisation = WaveformConfig(), Normalisation((0.0,), (0.05,))
    network = build_network(config, settings, normalisation).eval()
    return TrainedModel.of(network, config, settings, normalisation, {"loudest_level": 6.0})


def _row(cell: str, model: TrainedModel, takes: int) -> dict[str, Any]:
    nothing = np.zeros((0, 1), np.int16)
    sampling = SamplingOptions(takes=takes)
    ways: dict[str, Iterator[None]] = {}
    if model.compiled is not None:
        ways["compiled"] = _free(CompiledFreeRun(model, nothing, sampling), STEPS[takes])
    ways["torch"] = _free(TorchFreeRun(model, nothing, sampling), STEPS[takes])
    ours = len(ways)
    if model.model.architecture == "predictor" and find_cell(model.model.cell).is_torchs:
        ways["plain"] = _plain(model, takes)
    seconds = alternating_seconds(ROUNDS, *(way.__next__ for way in ways.values()))
    rates = {
        name: round(takes * STEPS[takes] / min(times)) for name, times in zip(ways, seconds, strict=True)
    }
    ratio = statistics.median(times[-1] / min(times[:ours]) for times in zip(*seconds, strict=True))
    return {
        "cell": cell,
        "takes": takes,
        "device": describe_device(model.device)["device"],
        **{f"{name}_steps_per_second": rate for name, rate in rates.items()},
        "ratio": round(ratio, 1),
        "real_time": round(max(list(rates.values())[:ours]) * model.step_s, 1),
        "memory_mib": round(psutil.Process().memory_info().rss / 2**20),
    }


def _free(run: FreeRun, steps: int) -> Iterator[None]:
    draws = Draws(run.sampling, run.model.framing.target_size)
    while True:
        for uniform, noise in draws.portions(steps):
            run.draw(uniform, noise)
        yield


def _plain(model: TrainedModel, takes: int) -> Iterator[None]:
    frames, settings = model.framing, model.model
    units, components, size = settings.hidden_size, settings.mixture_components, frames.hop
    layer = load(find_cell(settings.cell).layer)(frames.window, units, settings.num_layers)
    device = model.device
    layer, head = layer.to(device), nn.Linear(units, components * (1 + 2 * size)).to(device)
    window, state = torch.zeros(takes, frames.window, device=device), None
    every = torch.arange(takes, device=device)
    with torch.inference_mode():
        while True:
            for _ in range(STEPS[takes]):
                hidden, state = layer(window[:, None], state)
                parts = head(hidden[:, 0]).split([components, components * size, components * size], -1)
                chosen = torch.multinomial(torch.softmax(parts[0], -1), 1)[:, 0]
                mean, raw = (part.view(takes, components, size)[every, chosen] for part in parts[1:])
                drawn = mean + raw.exp() * torch.randn(takes, size, device=device)
                window = torch.cat([window, drawn.clamp(-9, 9)], 1)[:, -frames.window :]
            yield
