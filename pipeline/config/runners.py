"""Settings of where trainings run, none of which changes what is trained."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from pipeline.config.types import Positive, Section


def _check_workers(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if number or (isinstance(value, str) and re.fullmatch(r"dask://[^/\s]+:\d+", value)):
        return value
    raise ValueError(
        f"{value!r} is neither a number of processes, at least 1, nor the scheduler of a Dask cluster as "
        "dask://HOST:PORT"
    )


Workers = Annotated[int | str, BeforeValidator(_check_workers)]
"""A number of processes, or the scheduler of a Dask cluster."""


class RunnersConfig(Section):
    """Where the variants of a run and the trials of a search are trained."""

    section: ClassVar[str] = "run"

    workers: Workers | None = None
    """Number of trainings at the same time, in processes of this machine, or the scheduler of a Dask cluster
    as `dask://HOST:PORT`. Null: one after the other."""
    threads: Positive | None = None
    """Processor threads of each training. Null: with a number of workers, an equal share of the processors;
    on a cluster, as its workers are set up, usually 1. The same number of threads gives the same weights to
    the last bit."""
    together: Positive = 1
    """Number of trainings of one size in each process, whose updates are computed together. Small models
    with small batches train faster so, and get the weights that each gets alone."""


ONE_AT_A_TIME = RunnersConfig()
"""One training after the other, on this machine."""
