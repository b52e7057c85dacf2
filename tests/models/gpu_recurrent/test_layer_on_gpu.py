"""On a GPU: kernels give the CPU's numbers, can be captured, and take less time than a loop over steps."""

import copy
from collections.abc import Callable, Iterator
from statistics import median

import pytest
import torch
from torch import Tensor, nn

from models.fused.choice import torch_kernels
from models.gpu_recurrent.choice import why_untrusted
from models.recurrent.cells import CELLS, Cell
from tests.helpers.networks.compiled_layers import case, results_and_gradients, torchs
from tests.helpers.networks.kernel_layers import half_kernels, kernels

pytestmark = pytest.mark.gpu
every_cell = pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if cell.kernels])
TOLERANCES = {"highest": 1e-4, "high": 1e-2}


@pytest.fixture(params=["highest", "high"])
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


def on_gpu(
    layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]
) -> tuple[nn.Module, Tensor, tuple[Tensor, ...]]:
    moved = [part.detach().cuda().requires_grad_() for part in (inputs, *state)]
    return copy.deepcopy(layer).cuda(), moved[0], tuple(moved[1:])


def errors(found: list[Tensor], expected: list[Tensor]) -> float:
    pairs = zip(found, expected, strict=True)
    return max(float((one.cpu() - other).abs().max() / other.abs().max()) for one, other in pairs)


@every_cell
@pytest.mark.parametrize(
    ("batch", "steps", "width", "size"), [(1, 2, 3, 1), (33, 7, 20, 46), (40, 50, 20, 0)]
)
def test_outputs_and_gradients_are_those_of_the_cpu(
    name: str, batch: int, steps: int, width: int, size: int, precision: str
) -> None:
    paper = CELLS[name].size
    assert paper is not None
    cell, layer, inputs, state = case(name, batch, steps, width, size or paper[0])
    nn.utils.vector_to_parameters(
        nn.utils.parameters_to_vector(layer.parameters()).detach() / 2, layer.parameters()
    )
    exact = [part.detach().double().requires_grad_() for part in (inputs, *state)]
    double = copy.deepcopy(layer).double()
    expected = results_and_gradients(torchs, cell, double, exact[0], tuple(exact[1:]))
    moved = on_gpu(layer, inputs, state)
    found = results_and_gradients(kernels, cell, *moved)
    assert errors(found, expected) < TOLERANCES[precision]
    assert errors(results_and_gradients(half_kernels, cell, *moved), expected) < 0.1
    again = results_and_gradients(kernels, cell, *moved)
    assert all(map(torch.equal, again, found)), "the same bits again"


@every_cell
def test_the_layers_of_the_paper_are_trusted(name: str) -> None:
    cell = CELLS[name]
    assert cell.size is not None
    layer = cell.make_layer(20, cell.size[0]).cuda()
    for half in (False, True):
        for batch in (1, 32, 256, 4096):
            assert why_untrusted(cell.kernels or "", layer, half, batch) is None


@every_cell
def test_a_layer_is_captured(name: str) -> None:
    """Two replays on other inputs give what the kernels give."""
    cell, layer, inputs, state = case(name, 20, 9, 5, 33)
    layer, inputs, state = on_gpu(layer, inputs, state)
    results_and_gradients(kernels, cell, layer, inputs, state)
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        results_and_gradients(kernels, cell, layer, inputs, state)
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        places = results_and_gradients(kernels, cell, layer, inputs, state)
    for factor in (0.5, -1.0):
        with torch.no_grad():
            inputs.mul_(factor)
        graph.replay()
        found = [part.clone() for part in places]
        expected = results_and_gradients(kernels, cell, layer, inputs, state)
        assert all(map(torch.equal, found, expected))


def milliseconds(run: Callable[[], object]) -> float:
    """Median of 20 runs, after three."""
    times = []
    for number in range(23):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if number > 2:
            times.append(begin.elapsed_time(end))
    return median(times)


def update_of(cell: Cell, layer: nn.Module, lanes: int) -> Callable[[], object]:
    """100 steps of 20 inputs and back, as a training does them: replayed from a graph where there is one."""
    size = cell.size[0] if cell.size else 0
    inputs = torch.randn(lanes, 100, 20, device="cuda")
    state = tuple(torch.zeros(1, lanes, size, device="cuda") for _ in cell.state_names)
    given = state if len(state) > 1 else state[0]

    def run() -> object:
        hidden, _ = cell.run_layer(layer, inputs, given)
        return torch.autograd.grad(hidden, list(layer.parameters()), hidden.detach())

    return run


@every_cell
@pytest.mark.parametrize("lanes", [32, 256])
def test_the_papers_forms_take_less_time_than_their_loops(
    name: str, lanes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of cuDNN are printed beside, as both are of use: neither is promised to be faster."""
    cell = CELLS[name]
    assert cell.size is not None
    torch.set_float32_matmul_precision("high")
    layer = cell.make_layer(20, cell.size[0]).cuda()
    run = update_of(cell, layer, lanes)
    ours = milliseconds(run)
    with torch_kernels():
        theirs = milliseconds(run)
    with capsys.disabled():
        print(f"\n{name} {lanes} x 100 steps: kernels {ours:.2f} ms, torch {theirs:.2f} ms")
    if not cell.is_torchs:
        assert ours < theirs
