"""Requests to a served model, mutated."""

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.errors import UserError
from tests.fuzz.fuzzing import Attempt
from tests.fuzz.mutations import mutate_value
from tests.helpers.commands import saved_model

VALUES = [0.0, 1.0, -8.0, 1e3, 1e30, float("nan"), float("inf")]
SHAPES = [(1, 40), (2, 400), (0, 4), (3, 0), (65, 1), (2, 3, 4), (7,), (1, 1 << 25), ()]


def requests(folder: Path) -> Attempt:
    """Ask for the continuation of strange contexts with strange parameters."""
    from mlflow.exceptions import MlflowException

    from pipeline.registry.served_model import Continuation

    served = Continuation()
    served.load_context(SimpleNamespace(artifacts={"model": str(saved_model(folder / "model"))}))

    def attempt(draw: Random, folder: Path) -> None:
        context: Any = np.zeros(draw.choice(SHAPES if draw.random() < 0.6 else SHAPES[:2]), np.float32)
        if context.size and draw.random() < 0.4:
            context.flat[draw.randrange(context.size)] = draw.choice(VALUES)
        params: Any = {"seconds": 0.01, "temperature": 1.0, "seed": 3}
        if draw.random() < 0.6:
            params = {name: x for name, x in mutate_value(params, draw).items() if name in params}
        params.setdefault("seconds", 0.01)
        try:
            found = served.predict(None, context, params)
        except MlflowException as problem:
            if problem.get_http_status_code() != 400:
                raise
            raise UserError(problem.message) from None
        assert len(found) == len(context)
        assert all(np.isfinite(np.asarray(each["samples"])).all() for each in found)

    return attempt
