"""The held-out recordings that decide about one registered model.

They are those of the validation split of the first champion's data set, noted with the digest of their rows.
From then on the list only grows, with recordings of groups that are not in it yet: those of later champions.
So figures of successive nights are of the same recordings, and a recording that has changed or is gone is
noticed. The rows themselves stay in the prepared data sets.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.common.hashing import digest_json
from pipeline.config.inputs import InputConfig, row_settings
from pipeline.config.promotion import PromotionConfig
from pipeline.errors import UserError
from pipeline.promotion.contender import Contender

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.data.dataset import Dataset

FORMAT = "wavecast-held-out-1"


@dataclass(frozen=True)
class HeldOut:
    """One held-out recording.

    Attributes:
        rows_hash: digest of its rows, as stored.
        audio_hash: digest of its samples or notes after conversion.
        content_hash: digest of its file; empty if that is not known.
        group: whose recording it is.
        rows: their number.
        dataset: the `dataset.json` that it was found in, below the data folder if it is there.
        added: date when it was frozen.
    """

    rows_hash: str
    audio_hash: str
    content_hash: str
    group: str
    rows: int
    dataset: str
    added: str


class HeldOutSet:
    """The list of held-out recordings of one registered model, in a file with a digest of its content.

    Each kind of input and its settings of the rows have a list of their own.
    """

    def __init__(self, folder: Path, config: InputConfig) -> None:
        self.settings = row_settings(config)
        self.path = folder / f"held-out-{config.kind}-{digest_json(self.settings)[:8]}.json"
        self.recordings = self._read()

    @property
    def digest(self) -> str:
        """Return a digest of the list."""
        return digest_json(sorted(each.rows_hash for each in self.recordings))

    def grow(self, contender: Contender, write: bool = True) -> int:
        """Add the contender's validation recordings of new groups; return how many were added.

        The first call freezes the list. Nothing is added of a model whose rows have other settings.

        Args:
            contender: the model.
            write: keep the new list; else it holds for this object alone, until `write`.
        """
        if contender.dataset is None:
            return 0
        if row_settings(contender.model.input) != self.settings:
            return 0
        from pipeline.data.dataset import open_dataset

        dataset = open_dataset(contender.dataset, contender.model.input)
        known = {each.group for each in self.recordings}
        hashes = {each.rows_hash for each in self.recordings}
        added = [
            each
            for each in _validation_recordings(dataset, contender)
            if each.group not in known and each.rows_hash not in hashes
        ]
        if added:
            self.recordings = [*self.recordings, *added]
            if write:
                self.write()
        return len(added)

    def write(self) -> None:
        """Keep the list."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "settings": self.settings,
            "recordings": [asdict(each) for each in self.recordings],
        }
        write_json(self.path, {**content, "digest": _digest(content)})

    def suffices(self, rule: PromotionConfig, row_rate_hz: float) -> bool:
        """Return whether there are enough groups and minutes to decide."""
        groups = {each.group for each in self.recordings}
        minutes = sum(each.rows for each in self.recordings) / row_rate_hz / 60
        return len(groups) >= rule.fewest_groups and minutes >= rule.fewest_minutes

    def without(self, contenders: Iterable[Contender]) -> list[HeldOut]:
        """Return the recordings that no contender was trained on: neither they nor others of their group.

        Raises:
            UserError: the recordings that a contender was trained on are not known here.
        """
        trained = [record for each in contenders for record in each.recordings("train")]
        hashes = {record.audio_hash for record in trained} | {record.content_hash for record in trained}
        hashes -= {None, ""}
        groups = {record.group for record in trained}
        return [
            each
            for each in self.recordings
            if each.group not in groups and each.audio_hash not in hashes and each.content_hash not in hashes
        ]

    def _read(self) -> list[HeldOut]:
        if not self.path.exists():
            return []
        content = read_json(self.path, "list of held-out recordings")
        try:
            recordings = [HeldOut(**entry) for entry in content["recordings"]]
            right = content["format"] == FORMAT and content["digest"] == _digest(content)
        except (KeyError, TypeError):
            right = False
        if not right:
            raise UserError(
                f"{self.path}: damaged list of held-out recordings; restore it from a copy, or delete it to "
                "freeze the champion's validation split again"
            )
        return recordings


class HeldOutRows:
    """The rows of held-out recordings, found in the prepared data sets by their digest."""

    def __init__(self, config: InputConfig, datasets: Iterable[Path | None] = ()) -> None:
        self._config = config
        self._others = [dataset for dataset in datasets if dataset is not None]
        self._open: dict[Path, _Indexed | None] = {}
        self._found: dict[str, tuple[_Indexed, int] | None] = {}

    def find(self, wanted: HeldOut) -> "Tensor | None":
        """Return the rows (N, width), None where no data set has them as they were frozen."""
        if wanted.rows_hash not in self._found:
            self._found[wanted.rows_hash] = self._search(wanted)
        found = self._found[wanted.rows_hash]
        return None if found is None else found[0].dataset.recording_rows(found[1])

    def _search(self, wanted: HeldOut) -> "tuple[_Indexed, int] | None":
        for path in dict.fromkeys([data_dir() / wanted.dataset, *self._others]):
            indexed = self._opened(path)
            for index in indexed.by_size.get((wanted.group, wanted.rows), ()) if indexed else ():
                assert indexed is not None
                with suppress(UserError):  # damaged rows are not those that were frozen
                    if rows_digest(indexed.dataset.recording_rows(index)) == wanted.rows_hash:
                        return indexed, index
        return None

    def _opened(self, path: Path) -> "_Indexed | None":
        from pipeline.data.dataset import open_dataset

        if path not in self._open:
            try:
                dataset = open_dataset(path, self._config)
            except UserError:
                self._open[path] = None
                return None
            by_size: dict[tuple[str, int], list[int]] = {}
            for index, size in enumerate(zip(dataset.group, dataset.length.tolist(), strict=True)):
                by_size.setdefault(size, []).append(index)
            self._open[path] = _Indexed(dataset, by_size)
        return self._open[path]


@dataclass(frozen=True)
class _Indexed:
    """A data set, and its recordings by group and number of rows."""

    dataset: "Dataset"
    by_size: dict[tuple[str, int], list[int]]


def rows_digest(rows: "Tensor") -> str:
    """Return the digest of rows (N, width) as they are stored."""
    import hashlib

    return hashlib.sha256(rows.contiguous().numpy().data).hexdigest()


def _validation_recordings(dataset: "Dataset", contender: Contender) -> Iterator[HeldOut]:
    home, today = data_dir(), datetime.now().astimezone().date().isoformat()
    place = dataset.path.relative_to(home) if dataset.path.is_relative_to(home) else dataset.path
    records = {(str(record.path), record.group): record for record in contender.recordings("valid")}
    for index in dataset.indices("valid").tolist():
        rows = dataset.recording_rows(index)
        if not len(rows):
            continue
        found = rows_digest(rows)
        record = records.get((dataset.recording[index], dataset.group[index]))
        yield HeldOut(
            found,
            (record and record.audio_hash) or found,
            (record and record.content_hash) or "",
            dataset.group[index],
            len(rows),
            str(place),
            today,
        )


def _digest(content: dict[str, Any]) -> str:
    return digest_json([content["format"], content["settings"], content["recordings"]])
