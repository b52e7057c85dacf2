"""The formats of manifests, and the reading of a file or folder by the first that recognises it."""

from pathlib import Path

from pipeline.data.corpora.manifests.audio_folder import AUDIO_FOLDER
from pipeline.data.corpora.manifests.common_voice import COMMON_VOICE
from pipeline.data.corpora.manifests.entry import Format
from pipeline.data.corpora.manifests.fairseq import FAIRSEQ
from pipeline.data.corpora.manifests.json_records import JSON_RECORDS
from pipeline.data.corpora.manifests.kaldi import KALDI
from pipeline.data.corpora.manifests.lhotse import LHOTSE
from pipeline.data.corpora.manifests.parquet import PARQUET
from pipeline.data.corpora.manifests.tables import LISTS, TABLES
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

MANIFESTS: list[Format] = [
    KALDI,
    LHOTSE,
    COMMON_VOICE,
    AUDIO_FOLDER,
    PARQUET,
    FAIRSEQ,
    JSON_RECORDS,
    TABLES,
    LISTS,
]
"""All formats, in the order in which they are tried; a format is one module and one entry here."""


def read_manifest(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings that a manifest names; None where the file is no manifest of a known format.

    Args:
        path: a file.
        speaker_column: the column or key that names the group; None looks for a usual name.

    Raises:
        UserError: the manifest cannot be read at all. An entry that cannot be used is a source with a reason.
    """
    if not path.is_file():
        return None
    for form in MANIFESTS:
        if form.read_file is not None:
            sources = form.read_file(path, speaker_column)
            if sources is not None:
                if not sources:
                    raise UserError(f"{path}: a manifest ({form.name}) without a recording")
                return sources
    return None


def folder_manifest(folder: Path) -> list[Source] | None:
    """Return the recordings of a folder that is described by manifests in it; None where there are none.

    Raises:
        UserError: a manifest in it cannot be read at all.
    """
    if not folder.is_dir():
        return None
    for form in MANIFESTS:
        if form.read_folder is not None:
            sources = form.read_folder(folder)
            if sources:
                return sources
    return None
