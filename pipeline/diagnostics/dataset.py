"""Examination of a prepared data set: its files, its splits, and the recordings that it was made of."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.common.files import read_json
from pipeline.common.text import duration
from pipeline.config.types import SPLITS, Split
from pipeline.diagnostics.data_size import enough_sound, parameter_count, steps_a_second
from pipeline.diagnostics.findings import Examination, Finding, Severity, counted, share, worst_first
from pipeline.errors import RecordingRejected, UserError

PREPARE = "Run `wavecast prepare` on the recordings again."
LEAST_HELD_OUT, MOST_HELD_OUT = 0.03, 0.6


def examine_dataset(path: Path) -> Examination:
    """Examine the data set whose `dataset.json` or folder is ``path``.

    Raises:
        UserError: `dataset.json` is missing or too damaged to be examined.
    """
    file = path / "dataset.json" if path.is_dir() else path
    content = read_json(file, "prepared data set")
    try:
        recordings, settings = content["recordings"], content["settings"]
        lengths = {split: sum(r["length"] for r in recordings if r["split"] == split) for split in SPLITS}
        reach = max((r["offset"] + r["length"] for r in recordings), default=0)
        finite = all(map(math.isfinite, [*content["mean"], *content["std"]]))
        smallest = min(content["std"])
    except (KeyError, TypeError, ValueError) as problem:
        raise UserError(f"{file}: damaged data set ({type(problem).__name__}: {problem})") from None
    findings = [
        *_files(file, settings, reach),
        *_rows(file, settings, recordings),
        *_splits(recordings, lengths),
    ]
    if not finite:
        findings.append(Finding("problem", "moments", "Its mean or spread is not finite.", PREPARE))
    findings += [*_spread(settings, smallest), *_size(settings, lengths), *_sources(file, recordings)]
    findings += _refused(file)
    if all(finding.severity == "fine" for finding in findings):
        findings.append(Finding("fine", "files", "Its files are complete, and its recordings are unchanged."))
    seconds = {split: rows / _rate(settings) for split, rows in lengths.items()}
    kind = settings.get("kind", "unknown")
    summary = f"{kind}, {counted(len(recordings), 'recording')}, {duration(sum(seconds.values()))}"
    figures = {"fingerprint": content.get("fingerprint"), "kind": kind, "seconds": seconds}
    figures |= {"recordings": len(recordings), "settings": settings}
    return Examination(str(file), "data set", summary, figures, worst_first(findings))


def _input(settings: dict[str, Any]) -> Any:
    """Return the section `input`; settings of another version are a `UserError`."""
    from pydantic import TypeAdapter, ValidationError

    from pipeline.config.inputs import InputConfig

    known = {key: value for key, value in settings.items() if key != "version"}
    try:
        return TypeAdapter(InputConfig).validate_json(json.dumps(known))
    except ValidationError as problem:
        raise UserError(f"settings of another version ({problem.error_count()} differ)") from None


def _rate(settings: dict[str, Any]) -> float:
    from pipeline.features.representations import representation_of

    try:
        return representation_of(_input(settings)).row_rate_hz
    except UserError:
        return float(settings.get("sample_rate", 1))


def _files(file: Path, settings: dict[str, Any], reach: int) -> Iterator[Finding]:
    from pipeline.data.dataset import DATASET_VERSION
    from pipeline.data.store.pieces import pieces_within
    from pipeline.features.representations import representation_of

    try:
        representation = representation_of(_input(settings))
    except UserError as problem:
        yield Finding("problem", "version", f"It cannot be opened: {problem}.", PREPARE)
        return
    if settings.get("version") != DATASET_VERSION:
        what = f"It was prepared as version {settings.get('version')}, this wavecast reads {DATASET_VERSION}."
        yield Finding("problem", "version", what, PREPARE)
    store = file.parent.parent
    try:
        pieces_within(store, reach * representation.row_width * representation.row_dtype.itemsize)
    except UserError as problem:
        yield Finding("problem", "rows", f"Rows are away: {problem}.", "Mount the disk that has them.")
    except ValueError as problem:
        what = f"Rows are missing: {problem}."
        yield Finding("problem", "rows", what, f"Delete {store} and prepare again.")
    former = (store / "catalogue.json").is_file()
    for name in ("catalogue.json" if former else "catalogue.jsonl", "moments.bin"):
        if not (store / name).is_file():
            what = f"{file.parent.parent / name} is missing: no recording can be added to the data set."
            yield Finding("warning", "rows", what, f"Delete {file.parent.parent} and prepare again.")


def _rows(file: Path, settings: dict[str, Any], recordings: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield findings on rows that differ from their checksums."""
    from pipeline.data.dataset import open_dataset
    from pipeline.data.verification import damaged_rows

    try:
        dataset = open_dataset(file, _input(settings))
    except UserError:
        return  # which `_files` reports
    damaged = damaged_rows(dataset, range(len(recordings)))
    if damaged:
        were = counted(len(damaged), "recording")
        what = f"The rows of {were} are damaged, such as those of {dataset.recording[damaged[0]]}."
        advice = "Training converts them again where the recordings are there; else delete its folder."
        yield Finding("problem", "damaged-rows", what, advice)
    without = sum(recording.get("checksum") is None for recording in recordings)
    if without:
        some = counted(len(recordings), "recording")
        what = f"{without} of {some} were prepared without checksums, so damage to their rows is not noticed."
        advice = f"To have them checked, delete {file.parent.parent} and prepare again."
        yield Finding("fine", "no-checksums", what, advice)


def _splits(recordings: list[dict[str, Any]], lengths: Mapping[Split, int]) -> Iterator[Finding]:
    advice = "Add recordings, or split them one by one with --set corpus.group=recording."
    groups = {split: {r["group"] for r in recordings if r["split"] == split} for split in SPLITS}
    for split in SPLITS:
        if not lengths[split]:
            severity: Severity = "warning" if split == "test" else "problem"
            what = f"The {split} split is empty."
            yield Finding(severity, "splits", what, advice)
        elif len(groups[split]) == 1 and split != "train":
            only = next(iter(groups[split]))
            what = f"The {split} split has one group only ({only}): its figures depend on that group."
            yield Finding("warning", "splits", what, advice)
    shared = [g for g, n in Counter(g for names in groups.values() for g in names).items() if n > 1]
    if shared:
        what = f"{counted(len(shared), 'group')} in two splits, such as {shared[0]}: figures are too good."
        yield Finding("problem", "leak", what, PREPARE)
    held_out = 1 - lengths["train"] / max(sum(lengths.values()), 1)
    if lengths["train"] and not LEAST_HELD_OUT <= held_out <= MOST_HELD_OUT:
        what = f"{share(held_out)} of the sound is held out from training."
        yield Finding("warning", "held-out", what, "Set corpus.valid_fraction and corpus.test_fraction.")


def _spread(settings: dict[str, Any], smallest: float) -> Iterator[Finding]:
    from pipeline.data.dataset import SMALLEST_STD
    from pipeline.features.representations import representation_of

    try:
        representation = representation_of(_input(settings))
    except UserError:
        return
    if smallest > SMALLEST_STD or representation.sound is None:
        return
    if representation.rows_are_samples:
        what = f"The training sound is digital silence, or nearly (standard deviation {smallest:.1g})."
        yield Finding("problem", "silent", what, "Examine the recordings with `wavecast doctor FOLDER`.")
    else:
        what = "A band of the training frames never changes: it contains no signal."
        yield Finding("warning", "silent", what, "Lower input.max_frequency_hz or input.floor.")


def _size(settings: dict[str, Any], lengths: Mapping[Split, int]) -> Iterator[Finding]:
    """Compare the amount of audio with the parameters of the base model; notes are not compared."""
    from pipeline.config.model import ModelConfig
    from pipeline.features.representations import representation_of

    try:
        config = _input(settings)
    except UserError:
        return
    if representation_of(config).sound is None or not lengths["train"]:
        return
    seconds = lengths["train"] / _rate(settings)
    parameters = parameter_count(config, ModelConfig())
    yield from enough_sound(seconds * steps_a_second(config, ModelConfig()), parameters, seconds)


def _sources(file: Path, recordings: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield findings on recordings that were deleted or changed after preparation."""
    from pipeline.data.store.catalogue import read_catalogue

    try:
        found = read_catalogue(file.parent.parent)
        paths = [Path(r["path"]) for r in recordings if r["path"] in found.catalogue.seen]
        gone = [path for path in paths if not path.exists()]
        seen = found.catalogue.seen
        changed = [path for path in paths if path.exists() and _changed(path, *seen[str(path)])]
    except (UserError, KeyError, TypeError, ValueError, OSError):
        return
    if found.damaged:
        some = counted(len(found.damaged), "line")
        what = f"{some} of {found.path} damaged, such as line {found.damaged[0]}."
        yield Finding("warning", "catalogue", what, "The next `wavecast prepare` mends it.")
    if gone:
        were = counted(len(gone), "recording was", "recordings were")
        what = f"{were} deleted or moved since preparation, such as {gone[0]}."
        advice = "Training does not need the files; the next preparation leaves them out."
        yield Finding("warning", "gone", what, advice)
    if changed:
        some = counted(len(changed), "recording has", "recordings have")
        what = f"{some} changed since preparation, such as {changed[0]}."
        yield Finding("warning", "changed", what, PREPARE)


def _changed(path: Path, stamp: tuple[int, ...], known_hash: str) -> bool:
    from pipeline.data.manifest import content_hash

    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) == stamp:
        return False
    try:
        return content_hash(path) != known_hash
    except RecordingRejected:
        return True


def _refused(file: Path) -> Iterator[Finding]:
    from pipeline.data.manifest import read_manifest

    try:
        records = read_manifest(file.parent / "manifest.jsonl")
    except UserError as problem:
        yield Finding("warning", "manifest", f"Its manifest cannot be read: {problem}.", PREPARE)
        return
    refused = [record for record in records if record.refused]
    if refused:
        what = (
            f"{len(refused)} of {counted(len(records), 'file')} were left out, such as {refused[0].path}:"
            f" {refused[0].refused}."
        )
        yield Finding("warning", "left-out", what, f"All reasons are in {file.parent / 'manifest.jsonl'}.")
