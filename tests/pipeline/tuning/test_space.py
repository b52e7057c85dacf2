"""The size of a space, and the axes of its picture."""

import math

from pipeline.config.tuning import TuningConfig
from pipeline.tuning.space import scale_of, size_of

CELL = {"kind": "choices", "values": ["gru", "lstm"]}
UNITS = {"kind": "integer", "low": 1, "high": 10}
RATE = {"kind": "log-uniform", "low": 1e-4, "high": 1e-2}


def test_a_space_of_choices_and_whole_numbers_is_finite() -> None:
    def size(**space: object) -> float:
        return size_of(TuningConfig.model_validate({"space": space}).space)

    assert size(cell=CELL, units=UNITS) == 20
    assert size(cell=CELL, rate=RATE) == math.inf


def test_logarithmic_draws_have_logarithmic_axes() -> None:
    space = {"a": CELL, "b": UNITS, "c": {**UNITS, "log": True}, "d": RATE, "e": {**RATE, "kind": "uniform"}}
    found = TuningConfig.model_validate({"space": space}).space
    assert [scale_of(each) for each in found.values()] == ["choices", "linear", "log", "log", "linear"]
