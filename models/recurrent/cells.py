"""The recurrent cells by name, with all that other parts of the product need to know of them.

This module imports neither torch nor numba, so that settings can be checked without them: code is named as
"module:attribute" and imported when it is used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_TORCH = "models.recurrent.torch_layers:"


@dataclass(frozen=True)
class Cell:
    """A recurrent cell.

    Attributes:
        name: in settings.
        layer: makes one layer of (input_size, hidden_size), called as torch's are with ``batch_first=True``.
        label: in reports.
        gates: blocks of H rows that read the inputs.
        recurrent_gates: blocks of H rows that read the state; as many as ``gates`` where None.
        biases: of each row.
        peepholes: further weights of each unit.
        state_names: parts of the state, each (layers, B, H); the first is the output.
        step: one step as a function of tensors, for export to ONNX; None where there is none.
        compiled: name of the kind in `models.compiled.cells` and of the loops that train it in
            `models.fused.cells`; None where the cell is not compiled for CPUs.
        kernels: name of the kind in `models.gpu_recurrent.cells`; None where it has no kernels for GPUs.
        aliases: other names that settings may use.
        size: units of a layer, and layers, at which benchmarks compare the cell. They have about the
            parameters of Chung et al. (2014), 168 to 169 thousand on 20 inputs. None: not in benchmarks.
        timed_against: another cell, whose time is the unit of the benchmark of cells.
    """

    name: str
    layer: str
    label: str
    gates: int
    recurrent_gates: int | None = None
    biases: int = 1
    peepholes: int = 0
    state_names: tuple[str, ...] = ("hidden",)
    step: str | None = None
    compiled: str | None = None
    kernels: str | None = None
    aliases: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    timed_against: str | None = None

    @property
    def is_torchs(self) -> bool:
        """Whether it is a layer of torch's own kernels."""
        return self.layer.startswith(_TORCH)

    def parameter_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of a layer's parameters by name; the compiled form of a cell assumes them.

        Args:
            input_size: width of the inputs, D.
            hidden_size: width of the state, H.

        Example:
            >>> CELLS["mingru"].parameter_shapes(3, 5)
            {'weight_ih': (10, 3), 'bias': (10,)}
        """
        rows, carried = self.gates * hidden_size, self.gates * hidden_size
        if self.recurrent_gates is not None:
            carried = self.recurrent_gates * hidden_size
        if self.is_torchs:
            shapes: dict[str, tuple[int, ...]] = {"weight_ih_l0": (rows, input_size)}
            return shapes | {
                "weight_hh_l0": (carried, hidden_size),
                "bias_ih_l0": (rows,),
                "bias_hh_l0": (carried,),
            }
        shapes = {"weight_ih": (rows, input_size), "bias": (rows,)}
        if carried:
            shapes["weight_hh"] = (carried, hidden_size)
        if self.peepholes:
            shapes["peephole"] = (self.peepholes, hidden_size)
        return shapes

    def make_layer(self, input_size: int, hidden_size: int) -> Any:
        """Return one layer, a `torch.nn.Module`.

        Args:
            input_size: width of the inputs, D.
            hidden_size: width of the state, H.
        """
        return load(self.layer)(input_size, hidden_size)

    def run_layer(self, layer: Any, inputs: Any, state: Any) -> Any:
        """Run a layer over a sequence: in compiled loops or kernels where they apply, else by itself.

        Args:
            layer: as `make_layer` returns it.
            inputs: (B, T, D).
            state: the state before, (1, B, H), or a pair of these.

        Returns:
            The hidden states (B, T, H), and the state after.
        """
        on_cpu, found = inputs.device.type == "cpu", None
        kind = self.compiled if on_cpu else self.kernels
        if kind is not None:
            run = "models.fused.choice:run_compiled" if on_cpu else "models.gpu_recurrent.choice:run_kernels"
            found = load(run)(kind, layer, inputs, state)
        return layer(inputs, state) if found is None else found

    def run_layers(self, layers: Sequence[Any], inputs: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """Run layers of different networks, which have nothing in common: on a CPU in one compiled pass.

        Args:
            layers, inputs, states: of each layer, see `run_layer`.

        Returns:
            Of each, what `run_layer` returns.
        """
        calls = list(zip(layers, inputs, states, strict=True))
        found: list[Any] = [None] * len(calls)
        if self.compiled is not None and len(calls) > 1 and inputs[0].device.type == "cpu":
            found = load("models.fused.choice:run_compiled_layers")(self.compiled, layers, inputs, states)
        return [
            self.run_layer(*call) if each is None else each for call, each in zip(calls, found, strict=True)
        ]

    def onnx_step(self) -> Callable[..., Any]:
        """Return the function of one step.

        Raises:
            ValueError: the cell has none.
        """
        if self.step is None:
            raise ValueError(f"the cell {self.name} has no ONNX step, so it cannot be exported")
        found: Callable[..., Any] = load(self.step)
        return found


CELLS: dict[str, Cell] = {}
"""All cells by name, in the order in which they were registered."""


def register_cell(cell: Cell) -> None:
    """Make a cell available to settings, training, counts of parameters and export."""
    for name in (cell.name, *cell.aliases):
        if any(name in (other.name, *other.aliases) for other in CELLS.values()):
            raise ValueError(f"a cell named {name!r} is already registered")
    CELLS[cell.name] = cell


def find_cell(name: str) -> Cell:
    """Return the cell of this name or alias.

    Raises:
        ValueError: there is none; the message lists the names.

    Example:
        >>> find_cell("study-gru").name
        'chung2014-gru'
    """
    for cell in CELLS.values():
        if name in (cell.name, *cell.aliases):
            return cell
    raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {name!r}")


def load(reference: str) -> Any:
    """Import the attribute that "module:attribute" names."""
    module, attribute = reference.split(":")
    return getattr(import_module(module), attribute)


_STUDY, _STEPS, _PAIR = "models.recurrent.chung2014:", "models.onnx_step:", ("hidden", "cell")
for _cell in (
    Cell(
        "tanh",
        _TORCH + "tanh",
        "tanh",
        1,
        biases=2,
        step=_STEPS + "tanh_step",
        compiled="TANH",
        kernels="TANH",
        size=(400, 1),
    ),
    Cell(
        "gru",
        _TORCH + "gru",
        "GRU",
        3,
        biases=2,
        step=_STEPS + "gru_step",
        compiled="GRU",
        kernels="GRU",
        size=(227, 1),
    ),
    Cell(
        "lstm",
        _TORCH + "lstm",
        "LSTM",
        4,
        biases=2,
        state_names=_PAIR,
        step=_STEPS + "lstm_step",
        compiled="LSTM",
        kernels="LSTM",
        size=(195, 1),
    ),
    Cell(
        "chung2014-tanh",
        _STUDY + "OneBiasTanh",
        "tanh of Chung et al. (2014)",
        1,
        step=_STEPS + "chung2014_tanh_step",
        compiled="TANH",
        kernels="TANH",
        aliases=("study-tanh",),
        size=(400, 1),
        timed_against="tanh",
    ),
    Cell(
        "chung2014-gru",
        _STUDY + "ResetBeforeGRU",
        "GRU of Chung et al. (2014)",
        3,
        step=_STEPS + "chung2014_gru_step",
        compiled="RESET_BEFORE_GRU",
        kernels="RESET_BEFORE_GRU",
        aliases=("study-gru",),
        size=(227, 1),
        timed_against="gru",
    ),
    Cell(
        "chung2014-lstm",
        _STUDY + "PeepholeLSTM",
        "LSTM of Chung et al. (2014)",
        4,
        peepholes=3,
        state_names=_PAIR,
        step=_STEPS + "chung2014_lstm_step",
        compiled="LSTM",
        kernels="LSTM",
        aliases=("study-lstm",),
        size=(195, 1),
        timed_against="lstm",
    ),
    Cell(
        "mingru",
        "models.recurrent.mingru:MinGRU",
        "minGRU",
        2,
        recurrent_gates=0,
        step="models.recurrent.mingru:step",
        kernels="MINGRU",
        size=(199, 3),
        timed_against="gru",
    ),
):
    register_cell(_cell)
