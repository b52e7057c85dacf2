"""Usual names of columns, keys and splits in manifests."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from pipeline.config.types import Split

FILE = [
    "path",
    "audio_filepath",
    "audio_path",
    "audio_file",
    "audio_filename",
    "audio",
    "file_name",
    "filename",
    "filepath",
    "file_path",
    "file",
    "wav",
    "wav_path",
    "wav_file",
    "wav_filename",
    "wav_filepath",
    "file_audio",
    "fname",
    "audio_file_path",
    "recording",
    "clip",
]
SPEAKER = [
    "speaker",
    "speaker_id",
    "client_id",
    "spk",
    "spk_id",
    "spkid",
    "speaker_name",
    "speakerid",
    "group",
    "actor",
    "reader",
    "reader_id",
    "singer",
    "user_id",
]
SPLIT = ["split", "subset", "partition", "set", "data_split", "dataset_split"]
START = [
    "offset",
    "start",
    "start_time",
    "start_seconds",
    "begin",
    "begin_time",
    "segment_start",
    "start_s",
    "audio_start",
]
END = ["end", "end_time", "end_seconds", "segment_end", "end_s", "audio_end"]
DURATION = ["duration", "dur", "seconds", "duration_seconds", "duration_s", "segment_duration"]
NAME = ["id", "utt_id", "utterance_id", "segment_id", "sentence_id", "sid", "uttid", "key", "name"]

_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "validate", "val", "dev", "development", "cv", "vld"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "tt", "heldout"), "test"),
}


def named(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the column that has the first of ``names``, whatever its case and blanks; None without one."""
    return _named(tuple(columns), tuple(names))


@lru_cache(1 << 10)  # the records of a file mostly have the same keys
def _named(columns: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    by_name = {_plain(column): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def _plain(column: str) -> str:
    return column.strip().lower().replace("-", "_").replace(" ", "_")


def split_of(value: str) -> Split | None:
    """Return the split that a value such as ``dev-clean`` names; None where it names none.

    >>> split_of("train-clean-100"), split_of("DEV93"), split_of("clean")
    ('train', 'valid', None)
    """
    words = re.findall(r"[a-z]+", value.lower())
    return _SPLITS.get(words[0]) if words else None


def split_within(name: str) -> Split | None:
    """Return the split that some word of a file's name names; None where none or two different ones do.

    >>> split_within("libri_recordings_dev-clean.jsonl.gz"), split_within("train_dev.csv")
    ('valid', None)
    """
    found = {_SPLITS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _SPLITS}
    return found.pop() if len(found) == 1 else None


def published_split(path: Path) -> Split | None:
    """Return the split that a file's or folder's own name gives it, where one beside it has another split.

    One file alone called ``test.csv`` is a table for trying, not a published test split.
    """
    own = split_within(path.name)
    if own is None:
        return None
    kind = (path.is_dir(), "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]))
    for other in _beside(path):
        same = (other.is_dir(), kind[1]) == kind and other.name.endswith(kind[1])
        if same and split_within(other.name) not in (None, own):
            return own
    return None


def _beside(path: Path) -> list[Path]:
    try:
        return list(path.parent.iterdir())
    except OSError:
        return []
