"""A public set, fetched into a folder: downloaded, checked, unpacked, and put in its place in one step."""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.filesize import decimal
from typing_extensions import TypedDict

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.common.hashing import digest_file
from pipeline.common.locks import announced_lock
from pipeline.data.public.answers import Patience
from pipeline.data.public.contents import contents_digest, top_folder
from pipeline.data.public.download import Report, download, part_of
from pipeline.data.public.table import PublicSet
from pipeline.data.public.unpack import ArchiveRejected, Unpacked, unpack
from pipeline.errors import UserError, one_line

MARKER = ".wavecast-set.json"
UNPACKED = "unpacked"
RECORDED = ".recorded-hashes.json"
MOST_RECORD_BYTES = 1 << 20


class Marker(TypedDict, total=False):
    """The types of those facts in a fetched folder's mark that are read again."""

    name: str
    sha256: str | None
    files: int


def public_data() -> Path:
    """Return the folder where sets are put by default: `public` in the folder of run-time files."""
    return data_dir() / "public"


def print_error(message: str) -> None:
    """Print a sentence on standard error."""
    print(f"wavecast: {one_line(message)}", file=sys.stderr, flush=True)


def fetch(
    public: PublicSet, place: Path, patience: Patience | None = None, report: Report = print_error
) -> tuple[Path, bool]:
    """Fetch a set into the folder of its name in ``place``, unless it is there already.

    A call that was interrupted, even killed, is continued by the next one. Of two calls at once, one waits.

    Args:
        public: the set.
        place: folder that holds sets; it is made where it is missing.
        patience: time limits of the download.
        report: called for each address that fails, and for each remark.

    Returns:
        The folder of the set, and whether it was fetched by this call.

    Raises:
        UserError: the folder is another's, no address delivers the set, it does not fit, or it is rejected.
    """
    place.mkdir(parents=True, exist_ok=True)
    folder, work = place / public.name, place / f".{public.name}.fetch"
    with announced_lock(place / f".{public.name}.lock", f"it fetches {public.name}"):
        there = is_fetched(public, folder)
        if not there:
            work.mkdir(exist_ok=True)
            _delete_leftovers(public, work)
            _check_room(public, work)
            try:
                _fetch(public, work, folder, patience or Patience(), report)
            finally:
                shutil.rmtree(work / UNPACKED, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    return folder, not there


def holds_set(public: PublicSet, folder: Path) -> bool:
    """Return whether a folder carries the mark of the set, without a look at its files."""
    return bool(_read(folder / MARKER, Marker).get("name") == public.name)


def is_fetched(public: PublicSet, folder: Path) -> bool:
    """Return whether ``folder`` holds the set; False where it is missing or empty.

    Raises:
        UserError: it holds something else, another version, or fewer files than were fetched.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    remedy = "move it away, or name another place with --to"
    if not holds_set(public, folder):
        raise UserError(f"{folder}: exists already and was not fetched by wavecast; {remedy}")
    marker = _read(folder / MARKER, Marker)
    if public.sha256 not in (None, marker.get("sha256")):
        raise UserError(f"{folder}: holds another version of {public.name}; {remedy}")
    found, fetched = sum(1 for path in folder.rglob("*") if path.is_file()) - 1, marker.get("files", 0)
    if found < fetched:
        advice = "delete the folder to fetch it again"
        raise UserError(f"{folder}: {fetched - found:,} of {fetched:,} files are missing; {advice}")
    return True


def _fetch(public: PublicSet, work: Path, folder: Path, patience: Patience, report: Report) -> None:
    file, unpacked = download(public, work, patience, report), work / UNPACKED
    try:
        counts = _unpack(public, file, unpacked)
        contents = None if public.sha256 else contents_digest(top_folder(unpacked))
        if public.contents not in (None, contents):
            raise ArchiveRejected("its files have another hash than stated")
    except ArchiveRejected as problem:
        file.unlink()
        raise UserError(f"{public.name}: {file.name} was rejected and deleted: {problem}") from None
    if counts.links:
        report(f"{public.name}: {counts.links:,} links in the archive were left out")
    if public.checked_by == "none":
        _record(public.name, str(contents), folder.parent, report)
    facts = public.model_dump(include={"name", "title", "licence", "citation", "homepage", "addresses"})
    checks = {
        "checked_by": public.checked_by,
        "sha256": public.sha256 or digest_file(file),
        "contents": contents,
    }
    found = {"files": counts.files, "bytes": counts.bytes}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(unpacked / MARKER, {**facts, **checks, **found, "fetched": now})
    unpacked.rename(folder)


def _unpack(public: PublicSet, file: Path, folder: Path) -> Unpacked:
    """Unpack an archive; copy any other file as it is."""
    if public.is_archive:
        return unpack(file, folder, int(public.unpacked_times * file.stat().st_size) + (64 << 20))
    folder.mkdir()
    shutil.copyfile(file, folder / file.name)
    return Unpacked(1, file.stat().st_size, 0)


def _record(name: str, contents: str, place: Path, report: Report) -> None:
    """Record the hash of a set for which none is known, and compare it with the one of an earlier fetch."""
    recorded = _read(place / RECORDED, dict[str, str])
    before = recorded.get(name)
    if before == contents:
        report(f"{name}: no hash is published; its files are those that were fetched here before")
        return
    if before is None:
        report(f"{name}: no hash is published to check it by; the hash of its files was recorded: {contents}")
    else:
        report(f"{name}: its files differ from those fetched here before: {contents}, was {before}")
    write_json(place / RECORDED, {**recorded, name: contents})


def _delete_leftovers(public: PublicSet, work: Path) -> None:
    """Delete what a killed call left, apart from what can be continued."""
    part = part_of(public, work)
    kept = {part.path, part.note, work / public.file_name}
    for path in set(work.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check_room(public: PublicSet, work: Path) -> None:
    """Raise `UserError` where the disk cannot hold the file and as many bytes of unpacked files."""
    part, file = part_of(public, work), work / public.file_name
    size = public.bytes or 0
    there = file.stat().st_size if file.exists() else part.size
    needed, free = max(0, size - there) + size, shutil.disk_usage(work).free
    if needed > free:
        remedy = "free some space, or name a place on another disk with --to"
        raise UserError(
            f"{work.parent}: {decimal(free)} are free, {public.name} needs {decimal(needed)}; {remedy}"
        )


def _read(path: Path, shape: Any) -> Any:
    """Return a mapping from a JSON file of this module; empty where there is none or it is damaged."""
    try:
        return read_json(path, "record of fetched sets", shape, most_bytes=MOST_RECORD_BYTES)
    except UserError:
        return {}
