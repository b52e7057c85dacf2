"""Parameters of a request for continuations, their defaults and their limits."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pipeline.errors import UserError
from pipeline.generation.options import (
    DEFAULT_NOISE_SCALE,
    DEFAULT_SECONDS,
    DEFAULT_TEMPERATURE,
    SamplingOptions,
)

Output = Literal["array", "wav", "flac"]
"""Form of an answer: numbers, or a sound file in base64."""

MOST_SECONDS = 60.0
"""Longest continuation of a recording."""
MOST_TOTAL_SECONDS = 600.0
"""Longest duration of all continuations that a request asks for."""
MOST_SCALE = 10.0
"""Highest temperature and noise scale. Draws beyond it are noise."""
MOST_SEED = (1 << 53) - 1
"""Highest seed: the largest integer that every reader of JSON keeps."""

DEFAULTS: dict[str, float | int | str] = {
    "seconds": DEFAULT_SECONDS,
    "temperature": DEFAULT_TEMPERATURE,
    "noise_scale": DEFAULT_NOISE_SCALE,
    "seed": 0,
    "output": "array",
}
"""Parameters of a request with their values where none are sent: those of the command line."""


@dataclass(frozen=True)
class ServingOptions:
    """Valid parameters of a request.

    Attributes:
        seconds: length of each continuation.
        temperature, noise_scale: as in `SamplingOptions`.
        seed: of the first recording; recording b is drawn with ``seed + b``.
        output: form of the answer.

    Raises:
        UserError: a value is outside its limits.
    """

    seconds: float
    temperature: float
    noise_scale: float
    seed: int
    output: Output

    def __post_init__(self) -> None:
        """Raise `UserError` for the first value outside its limits."""
        if not 0 < self.seconds <= MOST_SECONDS:
            raise UserError(f"seconds={self.seconds:g}: give more than 0 and at most {MOST_SECONDS:g}")
        for name, value in (("temperature", self.temperature), ("noise_scale", self.noise_scale)):
            if not 0 <= value <= MOST_SCALE:
                raise UserError(f"{name}={value:g}: give 0 to {MOST_SCALE:g}")
        if not 0 <= self.seed <= MOST_SEED:
            raise UserError(f"seed={self.seed}: give 0 to {MOST_SEED}")
        if self.output not in get_args(Output):
            raise UserError(f"output={reprlib.repr(self.output)}: give {', '.join(get_args(Output))}")

    @classmethod
    def of(cls, parameters: Mapping[str, Any] | None) -> "ServingOptions":
        """Return the options in the parameters of a request; missing ones have their defaults.

        Raises:
            UserError: a parameter is unknown, of another type, or outside its limits.
        """
        values = {**DEFAULTS, **(parameters or {})}
        if unknown := values.keys() - DEFAULTS.keys():
            raise UserError(f"{min(unknown)}: no such parameter; there are {', '.join(DEFAULTS)}")
        return cls(
            seconds=_number("seconds", values["seconds"]),
            temperature=_number("temperature", values["temperature"]),
            noise_scale=_number("noise_scale", values["noise_scale"]),
            seed=_integer("seed", values["seed"]),
            output=cast(Output, values["output"]),
        )

    def sampling(self, index: int) -> SamplingOptions:
        """Return the options of the draws for the recording with this index."""
        return SamplingOptions(
            seed=self.seed + index, temperature=self.temperature, noise_scale=self.noise_scale
        )


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name}={reprlib.repr(value)}: give a number") from None
    if not math.isfinite(number):
        raise UserError(f"{name}={number}: give a finite number")
    return number


def _integer(name: str, value: Any) -> int:
    number = _number(name, value)
    if number != int(number):
        raise UserError(f"{name}={reprlib.repr(value)}: give a whole number")
    return int(value)
