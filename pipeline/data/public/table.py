"""The table of public data sets, read from `sets.yaml` and validated."""

import difflib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.errors import UserError

TABLE = Path(__file__).with_name("sets.yaml")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S*[^/\s]$")]
SetName = Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]
Count = Annotated[int, Field(gt=0)]


class PublicSet(BaseModel):
    """A public data set: one file at one or more addresses, with what its sources state about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: SetName = Field(description="Name for `wavecast data fetch`, and of the folder.")
    title: str = Field(min_length=1)
    kind: Literal["speech", "music", "sounds"]
    addresses: tuple[Address, ...] = Field(min_length=1, description="Addresses of the file, tried in order.")
    bytes: Count | None = Field(None, description="Size of the file; null where no source states it.")
    at_most_bytes: Count | None = Field(None, description="Largest accepted size where `bytes` is null.")
    sha256: Digest | None = Field(None, description="SHA-256 of the file; null where none is known.")
    contents: Digest | None = Field(None, description="Hash of the unpacked files; null where none is known.")
    unpacked_times: float = Field(4, gt=0, description="Largest ratio of the unpacked size to the file's.")
    hours: float | None = Field(None, gt=0)
    recordings: Count | None = None
    speakers: Count | None = None
    licence: str = Field(min_length=1)
    homepage: Address | Annotated[str, Field(pattern=r"^https?://\S+$")]
    citation: str = Field(min_length=1)
    facts: str = Field(min_length=1, description="Where hashes, sizes and counts were read.")

    @model_validator(mode="after")
    def _check_size_is_bounded(self) -> Self:
        if self.bytes is None and self.at_most_bytes is None:
            raise ValueError("state bytes or at_most_bytes")
        return self

    @property
    def file_name(self) -> str:
        """Return the name of the downloaded file."""
        return PurePosixPath(unquote(urlsplit(self.addresses[0]).path)).name

    @property
    def is_archive(self) -> bool:
        """Return whether the downloaded file is unpacked."""
        return self.file_name.lower().endswith(ARCHIVES)

    @property
    def largest_bytes(self) -> int:
        """Return the number of bytes after which an answer is too long."""
        return self.bytes or self.at_most_bytes or 0

    @property
    def checked_by(self) -> Literal["sha256", "contents", "none"]:
        """Return which known hash the set is checked by."""
        return "sha256" if self.sha256 else "contents" if self.contents else "none"


def read_table(path: Path = TABLE) -> dict[str, PublicSet]:
    """Return the sets of a table by name, in the order of the file.

    Raises:
        pydantic.ValidationError: an entry lacks a field, has an unknown one or a malformed value.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["sets"]
    return {name: PublicSet.model_validate({"name": name, **entry}) for name, entry in entries.items()}


@cache
def all_sets() -> dict[str, PublicSet]:
    """Return the sets that the package lists, by name."""
    return read_table()


def find_set(name: str) -> PublicSet:
    """Return the set of this name; case, blanks and underscores do not matter.

    Raises:
        UserError: no set has the name (exit code 2). The message lists similar names.
    """
    sets = all_sets()
    wanted = "-".join(name.lower().replace("_", "-").split())
    if wanted in sets:
        return sets[wanted]
    near = [known for known in sets if wanted and known.startswith(wanted)]
    near += [known for known in difflib.get_close_matches(wanted, sets, 4, 0.6) if known not in near]
    advice = f"similar names: {', '.join(near)}" if near else "`wavecast data list` lists the names"
    raise UserError(f"no public data set is called {name!r}; {advice}", exit_code=2)
