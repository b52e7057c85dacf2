"""Settings of the conversion of recordings, none of which changes the data set."""

from typing import ClassVar

from pipeline.config.runners import Cluster
from pipeline.config.types import Positive, Section


class PreparationConfig(Section):
    """Where recordings are converted; the data set is the same everywhere."""

    section: ClassVar[str] = "preparation"

    workers: Positive | Cluster | None = None
    """Number of worker processes, or the scheduler of a Dask cluster as `dask://HOST:PORT`. Null: one for
    each processor. A small corpus is converted without worker processes."""
    shards: str | None = None
    """Folder or address (`s3://BUCKET/PREFIX`) that all workers of a cluster reach, for rows on their way to
    the data set. Null: a folder beside the prepared rows."""
