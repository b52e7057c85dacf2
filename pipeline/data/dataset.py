"""A prepared data set on disk: which rows of the store belong to which recording and split.

Opening one maps the rows into memory and copies nothing; the rows of a split go to the GPU in one piece.
"""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NotRequired

import numpy as np
import torch
from annotated_types import MinLen
from torch import Tensor
from typing_extensions import TypedDict

from pipeline.audio.pcm import SAMPLE_BITS, unused_bits
from pipeline.common.files import read_json, write_json
from pipeline.common.hashing import digest_json
from pipeline.config.inputs import InputConfig, row_settings
from pipeline.config.types import Split
from pipeline.data.manifest import Recording, write_manifest
from pipeline.data.store.joined_map import map_rows
from pipeline.data.store.row_store import RowStore
from pipeline.data.verification import verify_rows
from pipeline.errors import UserError
from pipeline.features.normalisation import Normalisation
from pipeline.features.representation import Representation
from pipeline.features.representations import representation_of

DATASET_VERSION = 1
"""Raise it when prepared rows change their meaning: older ones are then made anew."""

SMALLEST_STD = 1e-4
"""A training split of digital silence is scaled by this (3 quantisation steps), not by zero."""


class RecordingEntry(TypedDict):
    """A recording in `dataset.json`."""

    path: str
    group: str
    split: Split
    offset: int
    length: int
    unused_bits: NotRequired[int | None]


class DatasetFile(TypedDict):
    """The content of `dataset.json`."""

    fingerprint: str
    settings: dict[str, Any]
    mean: list[float]
    std: list[float]
    low: list[float]
    high: list[float]
    recordings: Annotated[list[RecordingEntry], MinLen(1)]


@dataclass(frozen=True)
class Dataset:
    """A prepared data set.

    Attributes:
        path: its `dataset.json`.
        fingerprint: hexadecimal digits that name the recordings, their splits and the settings.
        input: what its rows are.
        normalisation: mean and standard deviation over the training split.
        rows: (R, width) memory-mapped store.
        offset, length: (recordings,) int64, first row and number of rows.
        split, group, recording: per recording; the last is its path.
        entries: per recording what `dataset.json` states of it: checksum, content key, part of a file.
    """

    path: Path
    fingerprint: str
    input: InputConfig
    normalisation: Normalisation
    rows: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    split: list[Split]
    group: list[str]
    recording: list[str]
    entries: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def verified(self) -> set[int]:
        """The recordings whose rows were compared with their checksums since the data set was opened."""
        return set()

    @cached_property
    def representation(self) -> Representation:
        """The representation of its recordings, from the settings of the input."""
        return representation_of(self.input)

    def indices(self, split: Split) -> np.ndarray:
        """Return the indices of the recordings in ``split``."""
        return np.flatnonzero(np.array([each == split for each in self.split]))

    def require(self, split: Split) -> np.ndarray:
        """Return `indices`; an empty split is a `UserError`."""
        found = self.indices(split)
        if not len(found):
            groups = len(set(self.group))
            raise UserError(
                f"the {split} split is empty ({len(self.recording)} recordings in {groups} groups): "
                "add recordings, or split them one by one with --set corpus.group=recording"
            )
        return found

    def name(self, index: int) -> str:
        """Return a short name of one recording: its group and its file's name, without folders and suffix."""
        path, group = Path(self.recording[index]), self.group[index]
        return (group if path.name == group else f"{group}-{path.stem}").replace("#", "-")

    def recording_rows(self, index: int) -> Tensor:
        """Return the rows (length, width) of one recording, a view of the memory map.

        Raises:
            UserError: they are damaged and cannot be converted again.
        """
        verify_rows(self, [index])
        begin = int(self.offset[index])
        return _as_tensor(self.rows[begin : begin + int(self.length[index])])


@dataclass(frozen=True)
class SplitRows:
    """The recordings of one split, their rows on the device that will use them.

    Attributes:
        rows: (R, width) as stored.
        offset, length: (recordings,) int64 on the same device as ``rows``.
        kept: where what is computed from all recordings may be kept, a path without a suffix.
        known_unused: what the data set states of `unused_bits`; None where it is not known.
    """

    rows: Tensor
    offset: Tensor
    length: Tensor
    kept: Path | None = None
    known_unused: tuple[int | None, ...] | None = None

    @cached_property
    def unused_bits(self) -> Tensor:
        """How many of the lowest bits of 16-bit rows are 0 in all rows of each recording, (recordings,).

        What the data set does not state, as those of earlier releases, is found in the rows.
        """
        starts, lengths = self.offset.tolist(), self.length.tolist()
        known = self.known_unused or (None,) * len(starts)
        unused = [
            _unused_bits(self.rows[start : start + length]) if bits is None else bits
            for start, length, bits in zip(starts, lengths, known, strict=True)
        ]
        return torch.tensor(unused, dtype=torch.int64)

    @cached_property
    def distances(self) -> Tensor:
        """Distance of two values of each recording of samples, and a last 1, (recordings + 1,) int64.

        It is 2^n where the n lowest bits of all its samples are unused.
        """
        unused = torch.cat([self.unused_bits, torch.zeros(1, dtype=torch.int64)])
        return (torch.ones_like(unused) << unused).to(self.rows.device)


def _unused_bits(rows: Tensor) -> int:
    return unused_bits(int(np.bitwise_or.reduce(rows.cpu().numpy(), None, initial=0)), SAMPLE_BITS)


def split_rows(dataset: Dataset, split: Split, device: torch.device) -> SplitRows:
    """Move a split to ``device``: one array on a GPU where it fits, else the memory map itself.

    Raises:
        UserError: the split is empty, or has damaged rows that cannot be converted again.
    """
    chosen = dataset.require(split)
    verify_rows(dataset, chosen.tolist())
    offset, length = dataset.offset[chosen], dataset.length[chosen]
    kept = dataset.path.with_name(split)
    unused = tuple(dataset.entries[i].get("unused_bits") for i in chosen) if dataset.entries else None
    total = int(length.sum())
    if device.type != "cuda" or total * dataset.rows[:1].nbytes > 0.5 * torch.cuda.mem_get_info(device)[0]:
        places = torch.from_numpy(offset), torch.from_numpy(length)
        return SplitRows(_as_tensor(dataset.rows), *places, kept, unused)
    rows = _as_tensor(dataset.rows)
    packed = torch.empty((total, rows.shape[1]), dtype=rows.dtype, device=device)
    begins = np.cumsum(length) - length
    for source, target, count in zip(offset.tolist(), begins.tolist(), length.tolist(), strict=True):
        packed[target : target + count] = rows[source : source + count]
    places = torch.from_numpy(begins).to(device), torch.from_numpy(length).to(device)
    return SplitRows(packed, *places, kept, unused)


def _as_tensor(rows: np.ndarray) -> Tensor:
    """Return rows of the memory map as a tensor, which nothing may write to: its pages are read-only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(rows)


def dataset_settings(config: InputConfig) -> dict[str, Any]:
    """Return the settings that determine a recording's rows, without those of framing and playing."""
    return {"version": DATASET_VERSION, **row_settings(config)}


def write_dataset(store: RowStore, records: list[Recording], config: InputConfig) -> Path:
    """Write the data set that ``records`` make; returns its `dataset.json`, which may be there already."""
    used = [record for record in records if not record.refused]
    identity = [dataset_settings(config), sorted((r.content_hash, r.group, r.split) for r in used)]
    fingerprint = digest_json(identity)[:16]
    path = store.folder / fingerprint / "dataset.json"
    write_manifest(path.parent / "manifest.jsonl", records)
    if path.exists() and _is_whole(path):
        return path
    stored = [store.catalogue.stored[str(record.content_hash)] for record in used]
    trained_on = [s for s, r in zip(stored, used, strict=True) if r.split == "train" and s.length]
    representation = representation_of(config)
    mean, std, low, high = store.moments(trained_on or stored)
    mean, std = representation.moments(mean, std)
    scale = representation.unit
    content = {
        "fingerprint": fingerprint,
        "settings": dataset_settings(config),
        "mean": (mean * scale).tolist(),
        "std": np.maximum(std * scale, SMALLEST_STD).tolist(),
        "low": (low * scale).tolist(),
        "high": (high * scale).tolist(),
        "recordings": [
            {
                "path": str(r.path),
                "group": r.group,
                "split": r.split,
                "offset": s.offset,
                "length": s.length,
                "checksum": s.checksum,
                "content_hash": r.content_hash,
                **({} if r.unused_bits is None else {"unused_bits": r.unused_bits}),
                **({"part": r.part.model_dump(mode="json")} if r.part else {}),
            }
            for r, s in zip(used, stored, strict=True)
        ],
    }
    write_json(path, content)
    return path


def _is_whole(path: Path) -> bool:
    """Return whether `dataset.json` can be read; a damaged one is written again."""
    try:
        return bool(read_json(path, "prepared data set")["recordings"])
    except (UserError, KeyError, TypeError):
        return False


def open_dataset(path: Path, config: InputConfig) -> Dataset:
    """Open what `prepare` returned, to be framed by ``config``.

    Raises `UserError` where it is missing or damaged, was prepared with other settings, or has rows on a disk
    that is away.
    """
    path = path / "dataset.json" if path.is_dir() else path
    content = read_json(path, "prepared data set", DatasetFile, "delete it, and prepare the recordings again")
    if content["settings"] != dataset_settings(config):
        raise UserError(f"{path}: prepared with other settings than the model's; run `wavecast prepare` anew")
    recordings = content["recordings"]
    store, representation = path.parent.parent, representation_of(config)
    try:
        offset = np.array([r["offset"] for r in recordings], np.int64)
        length = np.array([r["length"] for r in recordings], np.int64)
        # Only as far as this data set reaches: rows behind may be another run's, still being written. A map
        # that could be written to, even privately, must not be larger than the machine's memory.
        shape = (int((offset + length).max()), representation.row_width)
        rows = map_rows(store, representation.row_dtype, shape)
    except (OSError, ValueError, OverflowError) as problem:
        raise UserError(
            f"{store / 'rows.bin'}: the rows of the data set cannot be read ({problem}); "
            f"delete {store} and prepare again"
        ) from None
    return Dataset(
        path=path,
        fingerprint=content["fingerprint"],
        input=config,
        normalisation=Normalisation(*(tuple(content[key]) for key in ("mean", "std", "low", "high"))),
        rows=rows,
        offset=offset,
        length=length,
        split=[r["split"] for r in recordings],
        group=[r["group"] for r in recordings],
        recording=[r["path"] for r in recordings],
        entries=recordings,
    )
