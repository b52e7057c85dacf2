"""Environmental sounds and music: what stays together is the clip, the song or the composition."""

import csv
from collections.abc import Mapping
from pathlib import Path

from pipeline.config.types import Split
from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout, Listed

MAESTRO_SPLITS: Mapping[str, Split] = {"train": "train", "validation": "valid", "test": "test"}


def _folds(count: int) -> dict[str, Split]:
    """Return the splits of one round of a cross-validation: the last fold tests, the one before validates."""
    last: dict[str, Split] = {str(count): "test", str(count - 1): "valid"}
    return {**{str(fold): "train" for fold in range(1, count + 1)}, **last}


def _maestro(root: Path) -> Mapping[str, Listed]:
    """Read the table of performances; all performances of a composition are in one split."""
    with next(root.glob("maestro-v*.csv")).open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row[column]: Listed(
            f"{row['canonical_composer']}: {row['canonical_title']}", MAESTRO_SPLITS.get(row["split"])
        )
        for row in rows
        for column in ("audio_filename", "midi_filename")
        if {column, "canonical_composer", "canonical_title", "split"} <= row.keys()
    }


ESC_50 = Layout(
    "ESC-50",
    # audio/1-100032-A-0.wav: fold, clip, take, class; the takes of a clip are in one fold
    (r"(?:audio/)?(?P<split>[1-5])-(?P<speaker>\d+)-[A-Z]-\d+" + SUFFIX,),
    _folds(5),
    unit="source clips",
    on_request="its folds are for cross-validation",
)
URBAN_SOUND_8K = Layout(
    "UrbanSound8K",
    # audio/fold5/100032-3-0-0.wav: clip, class, occurrence, slice
    (r"(?:audio/)?fold(?P<split>\d+)/(?P<speaker>\d+)-\d+-\d+-\d+" + SUFFIX,),
    _folds(10),
    unit="source clips",
    on_request="its folds are for cross-validation",
)
GTZAN = Layout(
    "GTZAN",
    # genres/blues/blues.00000.wav
    (r"(?:genres\w*/)?(?P<genre>[a-z]+)/(?P=genre)\.\d{5}\.(?:au|wav|mp3|flac)",),
    unit="recordings",
)
MUSDB18 = Layout(
    "MUSDB18",
    # train/SONG/vocals.wav, train/SONG.stem.mp4
    (
        r"(?P<split>train|test)/(?P<speaker>[^/]+)/(?:mixture|drums|bass|other|vocals|accompaniment)"
        + SUFFIX,
        r"(?P<split>train|test)/(?P<speaker>[^/]+)\.stem\.mp4",
    ),
    USUAL_SPLITS,
    unit="songs",
)
MAESTRO = Layout(
    "MAESTRO",
    # 2004/MIDI-Unprocessed_SMF_02_R1_2004_01-05_ORIG_MID--AUDIO_02_R1_2004_05_Track05_wav.wav
    (r"20\d\d/[^/]+\.(?:wav|flac|mp3|midi|mid)",),
    lists=_maestro,
    marker="maestro-v*.csv",
    unit="compositions",
)
