"""Data folders of Kaldi and ESPnet: ``wav.scp``, ``segments``, ``utt2spk``, ``spk2utt``.

``wav.scp`` maps a recording to a file or to a command that writes one (https://kaldi-asr.org/doc/data_prep.html).
A command is never run.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.corpora.manifests.columns import published_split
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.manifests.texts import head_of, lines_of
from pipeline.data.corpora.source import Source

RECORDINGS = "wav.scp"
_ARCHIVE = re.compile(r"\.ark:\d+$")


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of the data folder that a ``wav.scp`` or ``segments`` is in."""
    if path.name == RECORDINGS or (path.name == "segments" and (path.parent / RECORDINGS).is_file()):
        return _data_folder(path.parent) if head_of(path.parent / RECORDINGS) is not None else None
    if path.suffix == ".scp" and head_of(path) is not None:
        return sources_of(path, _recordings(path, {}), Places(path.parent))
    return None


def read_folder(folder: Path) -> list[Source] | None:
    """Return the recordings of a data folder, or of all data folders directly in this one."""
    if (folder / RECORDINGS).is_file():
        return _data_folder(folder)
    inner = sorted(path.parent for path in folder.glob(f"*/{RECORDINGS}"))
    return [source for data in inner for source in _data_folder(data)] or None


def _data_folder(folder: Path) -> list[Source]:
    speakers = _speakers(folder)
    segments = folder / "segments"
    scp, places = folder / RECORDINGS, Places(folder)
    if segments.is_file():
        return sources_of(segments, _segments(folder, segments, speakers), places)
    return sources_of(scp, _recordings(scp, speakers), places)


def _recordings(scp: Path, speakers: dict[str, str]) -> Iterator[Entry]:
    split = published_split(scp.parent) if scp.name == RECORDINGS else published_split(scp)
    for number, line in lines_of(scp):
        name, _, file = line.strip().partition(" ") if " " in line.strip() else line.strip().partition("\t")
        place, reason = f"line {number}", _reason(file)
        if reason is not None:
            yield Entry(place, name=name, reason=reason)
        else:
            yield Entry(place, file.strip(), speakers.get(name), split, name)


def _reason(file: str) -> str | None:
    """Return why a right side of ``wav.scp`` names no file that can be read."""
    file = file.strip()
    if file.endswith("|") or file.startswith("|"):
        return f"a command, which is never run: {file[:80]}; convert it to a file first"
    if _ARCHIVE.search(file):
        return f"a place in an archive of Kaldi, which is not read: {file[-80:]}"
    return None if file else "no file is named"


def _segments(folder: Path, segments: Path, speakers: dict[str, str]) -> Iterator[Entry]:
    files = {str(entry.name): entry for entry in _recordings(folder / RECORDINGS, {})}
    split = published_split(folder)
    for number, line in lines_of(segments):
        place, fields = f"line {number}", line.split()
        if len(fields) < 4:
            yield Entry(place, reason=f"{len(fields)} fields, not segment, recording, start and end")
            continue
        name, recording, start, end = fields[:4]
        whole = files.get(recording)
        if whole is None:
            yield Entry(place, reason=f"recording {recording} is not in {RECORDINGS}")
        elif whole.reason:
            yield Entry(place, reason=whole.reason)
        else:
            yield Entry(place, whole.file, speakers.get(name, recording), split, name, start, end=end)


def _speakers(folder: Path) -> dict[str, str]:
    """Return the speaker of each utterance; one called as its utterance is Kaldi's way to give none."""
    speakers: dict[str, str] = {}
    if (folder / "utt2spk").is_file():
        for _, line in lines_of(folder / "utt2spk"):
            utterance, _, speaker = line.strip().partition(" ")
            speakers[utterance] = speaker.strip()
    elif (folder / "spk2utt").is_file():
        for _, line in lines_of(folder / "spk2utt"):
            speaker, *utterances = line.split()
            speakers.update(dict.fromkeys(utterances, speaker))
    return {utterance: speaker for utterance, speaker in speakers.items() if speaker != utterance}


KALDI = Format("Kaldi or ESPnet data folder", read_file, read_folder)
