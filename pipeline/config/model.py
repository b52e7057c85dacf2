"""Settings of the network."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from models.head_kinds import COVARIANCES, HEADS
from models.recurrent.cells import CELLS, find_cell
from pipeline.config.types import Fraction, Positive, Section


def _known_cell(name: str) -> str:
    """Return the name under which the cell is registered."""
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
    """The network: optional convolutions, recurrent layers, and an output head."""

    section: ClassVar[str] = "model"

    architecture: Literal["predictor", "encoder-decoder"] = "predictor"
    """`predictor`: recurrent layers predict the next step. `encoder-decoder`: one stack reads the past,
    another produces the next `decode_steps` steps."""
    cell: Annotated[str, AfterValidator(_known_cell)] = "gru"
    """Recurrent unit in PyTorch's form. With `chung2014-`, the unit exactly as in Chung et al. (2014):
    diagonal peepholes in the LSTM, the reset gate before the GRU's recurrent product, one bias."""
    hidden_size: Positive = 227
    """Units of each layer. In the paper 400 tanh, 227 GRU and 195 LSTM units have equal parameter counts."""
    parameter_budget: Positive | None = None
    """Largest number of recurrent parameters. If set, it determines the number of units, not hidden_size."""
    num_layers: Positive = 1
    """Number of stacked recurrent layers."""
    dropout: Fraction = 0.0
    """Dropout probability between recurrent layers during training. With one layer it has no effect."""
    output_dropout: Fraction = 0.0
    """Dropout probability between the last recurrent layer and the head during training."""
    layer_norm: bool = False
    """Apply layer normalisation to the outputs of each recurrent layer."""
    residual: bool = False
    """Add each recurrent layer's input to its output, from the second layer on."""
    learned_initial_state: bool = False
    """Learn the state in which each recording begins, instead of zeros."""
    convolutions: list[Annotated[list[Positive], Field(min_length=3, max_length=3)]] = Field(
        default_factory=list
    )
    """Causal convolutions before the recurrent layers: [channels, kernel, stride] of each, in steps.
    A prediction covers as many hops as the product of the strides."""
    companding: bool = False
    """Also feed the samples on a logarithmic (companded) scale, which resolves quiet sound as well as
    loud."""
    head: Annotated[str, AfterValidator(one_of(HEADS))] = "gaussian_mixture"
    """Output distribution: a mixture of Gaussians, or for samples one around `adaptive` predictions, which
    scores and compresses, but draws nothing. For notes, `bernoulli` (independent notes) or `nade` (each note
    conditioned on the lower ones)."""
    mixture_components: Positive = 20
    """Number of Gaussians in the mixture."""
    covariance: Annotated[str, AfterValidator(one_of(COVARIANCES))] = "diagonal"
    """Covariance of each Gaussian: `diagonal`, `full` (a triangular factor), or `autoregressive` (a linear
    predictor of each sample from the preceding ones, also within the step)."""
    autoregressive_order: Positive = 32
    """Order of the linear predictor of an autoregressive component, in samples."""
    nade_hidden: Positive = 128
    """Number of hidden units of the `nade` head."""
    scale_floor: Annotated[float, Field(gt=0)] = 0.1
    """Smallest standard deviation, in quantisation steps: one step of 16-bit audio, or 0.01 natural-log
    units (0.09 dB) of a spectrogram."""
    decode_steps: Positive = 20
    """Number of steps in a block that the decoder of an encoder-decoder predicts."""
    attention_steps: Annotated[int, Field(ge=0)] = 0
    """Number of encoder states before the block that the decoder attends to. 0: no attention."""
