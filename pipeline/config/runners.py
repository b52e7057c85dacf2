"""Settings of where trainings run, none of which changes what is trained."""

from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.config.types import Positive, Section

Cluster = Annotated[str, Field(pattern=r"^dask://[^/\s]+:\d+$")]
"""The scheduler of a Dask cluster."""


class RunnersConfig(Section):
    """Where the variants of a run and the trials of a search are trained."""

    section: ClassVar[str] = "run"

    workers: Positive | Cluster | None = None
    """Number of trainings at the same time, in processes of this machine, or the scheduler of a Dask cluster
    as `dask://HOST:PORT`. Null: one after the other."""
    threads: Positive | None = None
    """Processor threads of each training. Null: with a number of workers, an equal share of the processors;
    on a cluster, as its workers are set up, usually 1. The same number of threads gives the same weights to
    the last bit."""


ONE_AT_A_TIME = RunnersConfig()
"""One training after the other, on this machine."""
