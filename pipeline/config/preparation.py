"""Settings of the conversion of recordings, none of which changes the data set."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pipeline.common.files import absolute, expanded
from pipeline.config.runners import Workers
from pipeline.config.types import Section
from pipeline.errors import UserError


class PreparationConfig(Section):
    """Where recordings are converted; the data set is the same everywhere."""

    section: ClassVar[str] = "preparation"

    workers: Workers | None = None
    """Number of worker processes, or the scheduler of a Dask cluster as `dask://HOST:PORT`. Null: one for
    each processor. A small corpus is converted without worker processes."""
    shards: str | None = None
    """Folder or address (`s3://BUCKET/PREFIX`) that all workers of a cluster reach, for rows on their way to
    the data set. Null: a folder beside the prepared rows."""
    folders: list[str] = Field(default_factory=list)
    """Folders, usually on several disks, that new rows are distributed over by free space. They must exist.
    Empty: the data folder."""

    def row_folders(self) -> list[Path]:
        """Return `folders` as absolute paths.

        Raises:
            UserError: one of them does not exist; its disk may not be mounted.
        """
        found = [absolute(expanded(name)) for name in self.folders]
        for folder in found:
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder for rows; mount its disk, or create it")
        return found
