"""Whether there is enough sound for a model: steps to learn from beside parameters to be learnt.

The rule is a rule of thumb. A step that is predicted is one lesson; a network with more parameters than
lessons can learn them all by heart, and below ten lessons for each parameter its validation loss usually
turns upwards before its training loss is done falling.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.common.text import duration
from pipeline.diagnostics.findings import Finding

if TYPE_CHECKING:
    from pipeline.config.inputs import InputConfig
    from pipeline.config.model import ModelConfig

TOO_FEW, FEW = 1.0, 10.0  # steps for each parameter


def enough_sound(steps: float, parameters: int, seconds: float) -> Iterator[Finding]:
    """Compare training steps with parameters; ``seconds`` is the duration to state."""
    ratio = steps / max(parameters, 1)
    stated = f"{duration(seconds)} give {ratio:.2g} training steps for each of {parameters:,} parameters"
    wanted = duration(seconds * FEW / max(ratio, 1e-9))
    advice = (
        f"Add sound until there are {FEW:.0f} steps for each parameter ({wanted}), or take a smaller model"
        " (model.hidden_size, model.mixture_components)."
    )
    if ratio < TOO_FEW:
        yield Finding("problem", "too-little", f"There is too little sound: {stated}.", advice)
    elif ratio < FEW:
        yield Finding("warning", "too-little", f"There is little sound: {stated}.", advice)
    else:
        yield Finding("fine", "enough", f"There is enough sound: {stated}.")


def parameter_count(input_config: "InputConfig", model: "ModelConfig") -> int:
    """Parameters of the network that these settings describe."""
    from pipeline.features.normalisation import Normalisation
    from pipeline.features.representations import representation_of
    from pipeline.model.build import build_network

    width = representation_of(input_config).row_width
    network = build_network(input_config, model, Normalisation((0.0,) * width, (1.0,) * width))
    return sum(weight.numel() for weight in network.parameters())


def steps_a_second(input_config: "InputConfig", model: "ModelConfig") -> float:
    """Predictions that a model makes for a second of its input."""
    from pipeline.features.representations import representation_of

    representation = representation_of(input_config)
    return representation.row_rate_hz / representation.framing(model).hop
