"""The entry of `wavecast doctor`: recognise a recording, corpus, data set, model or run, and examine it.

One examination never stops the next: whatever cannot be examined is itself a finding.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.common.files import read_json
from pipeline.common.patterns import matching
from pipeline.diagnostics.findings import Examination, Finding, Kind
from pipeline.errors import UserError

SAMPLE_RATE = 16_000
REGISTERED = ("models:/", "runs:/")


@dataclass(frozen=True)
class Target:
    """A name given by the user, with the kind and the path that it was resolved to."""

    name: str
    kind: Kind
    path: Path


def diagnose(named: Sequence[str], model: str = "") -> Iterator[Examination]:
    """Examine recordings, data sets, models and runs one after another; never raises for damaged files.

    Args:
        named: paths, patterns or model references. Empty, and without ``model``: the installation.
        model: a model to examine, too. Recordings are examined at its sample rate, and it is run on them.

    Yields:
        One examination for each target.
    """
    if not named and not model:
        yield _guarded(Target("wavecast", "installation", Path()), ReferenceModel(""), [])
        return
    reference = ReferenceModel(model)
    targets = [target for name in named for target in recognised(name)]
    for target in targets:
        yield _guarded(target, reference, [])
    if model:
        sounds = [target.path for target in targets if target.kind == "recording"]
        sounds += [path for target in targets if target.kind == "corpus" for path in _sounds_of(target.path)]
        yield _guarded(Target(model, "model", Path(model)), reference, sounds)


@dataclass(frozen=True)
class ReferenceModel:
    """The model for which recordings are examined: the named one, or that of the base configuration."""

    model: str

    @cached_property
    def _settings(self) -> tuple[float, int, int]:
        """Return steps per second, number of parameters and sample rate in Hz."""
        from pipeline.config.loading import load_config
        from pipeline.diagnostics.data_size import parameter_count, steps_a_second
        from pipeline.registry.registry import load

        if self.model:
            found = load(self.model)
            count = sum(weight.numel() for weight in found.network.parameters())
            return 1 / found.step_s, count, getattr(found.input, "sample_rate", SAMPLE_RATE)
        base = load_config()
        count = parameter_count(base.input, base.model)
        return steps_a_second(base.input, base.model), count, SAMPLE_RATE

    def settings(self) -> tuple[float, int, int]:
        """Return steps per second, parameters and rate in Hz; of the base model where the named one fails."""
        try:
            return self._settings
        except UserError:
            return ReferenceModel("")._settings if self.model else (1600.0, 265_000, SAMPLE_RATE)

    @property
    def sample_rate(self) -> int:
        """Return the sample rate in Hz; without a model, nothing is loaded for it."""
        return self.settings()[2] if self.model else SAMPLE_RATE


def recognised(name: str) -> Iterator[Target]:
    """Yield the targets of a name: several for a pattern, or for a folder of runs or data sets."""
    if name.startswith(REGISTERED):
        yield Target(name, "model", Path(name))
        return
    paths = matching(name)
    if not os.path.lexists(name) and _is_model_name(name):
        yield Target(name, "model", Path(name))
        return
    if not paths:
        yield Target(name, "unknown", Path(name))
    for path in paths:
        try:
            yield from _of_folder(path) if path.is_dir() else [Target(str(path), _kind_of_file(path), path)]
        except OSError:  # a folder that may not be entered is reported when it is listed or read
            yield Target(str(path), "corpus" if os.path.isdir(path) else "unknown", path)  # noqa: PTH112


def _is_model_name(name: str) -> bool:
    """Return whether a name that is no file is that of a run or registered model."""
    from pipeline.registry.registry import find_model

    try:
        find_model(name)
    except (UserError, OSError):  # a name may be too long for a file
        return False
    return True


def _of_folder(path: Path) -> Iterator[Target]:
    def has(*names: str) -> bool:
        return any((path / name).is_file() for name in names)

    if has("run.json", "status.json", "journal.jsonl"):
        yield Target(str(path), "run", path)
    elif has("model.safetensors") or (has("config.json") and _is_model(path / "config.json")):
        yield Target(str(path), "model", path)
    elif has("dataset.json"):
        yield Target(str(path), "data set", path)
    elif several := sorted([*path.glob("*/run.json"), *path.glob("*/dataset.json")]):
        for file in several:
            yield Target(str(file.parent), "run" if file.name == "run.json" else "data set", file.parent)
    else:
        yield Target(str(path), "corpus", path)


def _is_model(config: Path) -> bool:
    try:
        return str(read_json(config, "model")["format"]).startswith("wavecast-model")
    except (UserError, KeyError):
        return False


def _kind_of_file(path: Path) -> Kind:
    if path.name == "dataset.json":
        return "data set"
    if path.suffix.lower() in (".csv", ".txt") and path.is_file():
        with path.open("rb") as file:
            return "recording" if b"\0" in file.read(1 << 12) else "corpus"
    with path.open("rb") if path.is_file() else open(os.devnull, "rb") as file:  # noqa: PTH123
        return "music" if file.read(4) == b"MThd" else "recording"


def _sounds_of(corpus: Path) -> list[Path]:
    from pipeline.data.corpora.named import find_sources

    try:
        found = [source.path for source in find_sources([corpus])]
        return [path for path in found if isinstance(path, Path)]
    except UserError:
        return []


def _guarded(target: Target, reference: ReferenceModel, sounds: Sequence[Path]) -> Examination:
    """Examine one target; an exception becomes its finding."""
    try:
        return _examined(target, reference, sounds)
    except (UserError, OSError) as problem:
        what = f"It cannot be examined: {problem}"
        finding = Finding("problem", "unreadable", what, "Check the name, or create it again.")
    except Exception as problem:  # a damaged file may raise any exception in a library
        what = f"It cannot be examined ({type(problem).__name__}: {' '.join(str(problem).split())[:200]})."
        finding = Finding(
            "problem", "unreadable", what, "It is damaged or of another version: create it again."
        )
    return Examination(target.name, target.kind, "", {}, (finding,))


def _examined(target: Target, reference: ReferenceModel, sounds: Sequence[Path]) -> Examination:
    if target.kind == "installation":
        from pipeline.diagnostics.installation import examine_installation

        return examine_installation()
    if target.kind == "model":
        from pipeline.diagnostics.model import examine_model
        from pipeline.registry.registry import fetch_model

        return examine_model(target.name, fetch_model(target.name), sounds)
    if target.kind == "run":
        from pipeline.diagnostics.run import examine_run

        return examine_run(target.path)
    if target.kind == "data set":
        from pipeline.diagnostics.dataset import examine_dataset

        return examine_dataset(target.path)
    if target.kind == "corpus":
        from pipeline.diagnostics.corpus import examine_corpus

        steps_per_second, parameters, sample_rate = reference.settings()
        return examine_corpus(target.path, sample_rate, steps_per_second, parameters)
    if target.kind == "music":
        return _music(target)
    from pipeline.diagnostics.recording import examine_recording

    return examine_recording(target.path, reference.sample_rate)


def _music(target: Target) -> Examination:
    """Examine a MIDI file: whether it can be read, and which notes are left out."""
    from pipeline.music.midi import read_midi

    with target.path.open("rb") as file:
        roll, notes = read_midi(file, 4)
    left_out = "Preparation leaves them out."
    findings = [Finding("warning", "notes", f"{note}.", left_out) for note in notes]
    if not roll.any():
        findings.append(Finding("problem", "silent", "It holds no notes.", "Leave it out."))
    elif not findings:
        findings.append(Finding("fine", "notes", "Nothing is wrong with it."))
    return Examination(target.name, "music", f"{len(roll)} steps of a sixteenth", {}, tuple(findings))
