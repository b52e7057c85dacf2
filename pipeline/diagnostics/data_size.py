"""Comparison of the number of training steps with the number of parameters of a model.

This is a rule of thumb. A network with more parameters than predicted steps can overfit all of them. With
fewer than ten steps for each parameter, validation loss usually rises while training loss still falls.
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
    """Compare training steps with parameters.

    Args:
        steps: number of predicted steps in the training split.
        parameters: number of parameters of the model.
        seconds: duration of the audio, for the text of the finding.

    Yields:
        One finding.
    """
    ratio = steps / max(parameters, 1)
    stated = f"{duration(seconds)} give {ratio:.2g} training steps for each of {parameters:,} parameters"
    wanted = duration(seconds * FEW / max(ratio, 1e-9))
    advice = (
        f"Add audio until there are {FEW:.0f} steps for each parameter ({wanted}), or train a smaller model"
        " (model.hidden_size, model.mixture_components)."
    )
    if ratio < TOO_FEW:
        yield Finding("problem", "too-little", f"There is too little audio: {stated}.", advice)
    elif ratio < FEW:
        yield Finding("warning", "too-little", f"There is little audio: {stated}.", advice)
    else:
        yield Finding("fine", "enough", f"There is enough audio: {stated}.")


def parameter_count(input_config: "InputConfig", model: "ModelConfig") -> int:
    """Return the number of parameters of the network that these sections of a configuration describe."""
    from pipeline.features.normalisation import Normalisation
    from pipeline.features.representations import representation_of
    from pipeline.model.build import build_network

    width = representation_of(input_config).row_width
    network = build_network(input_config, model, Normalisation((0.0,) * width, (1.0,) * width))
    return sum(weight.numel() for weight in network.parameters())


def steps_a_second(input_config: "InputConfig", model: "ModelConfig") -> float:
    """Return the number of predictions that a model of these sections makes for a second of its input."""
    from pipeline.features.representations import representation_of

    representation = representation_of(input_config)
    return representation.row_rate_hz / representation.framing(model).hop
