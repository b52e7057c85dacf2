"""Settings of the network."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from models.head_kinds import COVARIANCES, HEADS
from models.recurrent.cells import CELLS, find_cell
from pipeline.config.types import Fraction, Positive, Section


def _known_cell(name: str) -> str:
    """The name under which the cell is registered."""
    try:
        return find_cell(name).name
    except ValueError:
        return one_of(CELLS)(name)


def one_of(registry: Mapping[str, object]) -> Callable[[str], str]:
    """Return a validator that takes the names in a registry, also those that are registered later."""

    def check(name: str) -> str:
        if name in registry:
            return name
        names = ", ".join(f"'{known}'" for known in registry)
        raise PydanticCustomError("not_registered", "Input should be {names}", {"names": names})

    return check


class ModelConfig(Section):
    """The network: convolutions if wanted, recurrent layers, a head."""

    section: ClassVar[str] = "model"

    architecture: Literal["predictor", "encoder-decoder"] = "predictor"
    """`predictor`: recurrent layers that predict the next step; `encoder-decoder`: one stack reads, another
    produces the next `decode_steps` steps."""
    cell: Annotated[str, AfterValidator(_known_cell)] = "gru"
    """Recurrent unit, in the form of the library's kernels; or, with `chung2014-`, exactly as the study has
    it: diagonal peepholes in the LSTM, the reset gate before the GRU's recurrent product, one bias."""
    hidden_size: Positive = 227
    """Units of each layer. 400 tanh, 227 GRU and 195 LSTM units have equally many parameters in the study."""
    parameter_budget: Positive | None = None
    """Instead of hidden_size: the most units whose recurrent layers have no more parameters than this."""
    num_layers: Positive = 1
    """Recurrent layers, one on top of the other."""
    dropout: Fraction = 0.0
    """Share of a layer's outputs dropped on the way to the next while training."""
    layer_norm: bool = False
    """Normalise each recurrent layer's outputs before they are read."""
    residual: bool = False
    """Add what a recurrent layer reads to what it puts out, from the second layer on."""
    learned_initial_state: bool = False
    """Begin each recording in a trained state instead of zeros."""
    convolutions: list[Annotated[list[Positive], Field(min_length=3, max_length=3)]] = Field(
        default_factory=list
    )
    """Causal convolutions before the recurrent layers: [channels, kernel, stride] of each, in steps. With
    strides, a prediction covers as many hops as their product."""
    companding: bool = False
    """Read samples on a logarithmic scale, too, on which quiet sound is as visible as loud."""
    head: Annotated[str, AfterValidator(one_of(HEADS))] = "gaussian_mixture"
    """What a step's outputs are drawn from: a mixture of Gaussians; for notes, `bernoulli` (each note by
    itself) or `nade` (each note given the lower ones)."""
    mixture_components: Positive = 20
    """Gaussians in the mixture over a step's outputs."""
    covariance: Annotated[str, AfterValidator(one_of(COVARIANCES))] = "diagonal"
    """Of each Gaussian: `diagonal`, `full` (a triangular factor), or `autoregressive` (a linear predictor of
    each sample from those before it, inside the step too)."""
    autoregressive_order: Positive = 32
    """Samples that an autoregressive component's linear predictor looks back."""
    nade_hidden: Positive = 128
    """Hidden units of the `nade` head."""
    scale_floor: Annotated[float, Field(gt=0)] = 0.1
    """Smallest standard deviation, in quantisation steps: one step of 16-bit audio, or 0.01 natural-log
    units (0.09 dB) of a spectrogram."""
    decode_steps: Positive = 20
    """Steps that an encoder-decoder produces from what the encoder read."""
    attention_steps: Annotated[int, Field(ge=0)] = 0
    """Encoder states, counted back from where the decoder begins, that it attends to; 0 for none."""
