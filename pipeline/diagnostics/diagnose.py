"""The entry of `wavecast doctor`: recognise a recording, corpus, data set, model or run, and examine it.

One examination never stops the next: whatever cannot be looked at is itself a finding.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.common.patterns import matching
from pipeline.diagnostics.findings import Examination, Finding, Kind
from pipeline.errors import UserError

SAMPLE_RATE = 16_000
REGISTERED = ("models:/", "runs:/")


@dataclass(frozen=True)
class Target:
    """What was named, and what it was taken for."""

    name: str
    kind: Kind
    path: Path


def diagnose(named: Sequence[str], model: str = "") -> Iterator[Examination]:
    """Examine each thing in turn; the installation where nothing is named.

    With ``model``, recordings are examined at that model's rate, and the model is run on them, too. Never
    raises for what is found, however damaged.
    """
    if not named and not model:
        yield _guarded(Target("wavecast", "installation", Path()), ReferenceModel(""), [])
        return
    listener = ReferenceModel(model)
    things = [thing for name in named for thing in recognised(name)]
    for thing in things:
        yield _guarded(thing, listener, [])
    if model:
        sounds = [thing.path for thing in things if thing.kind == "recording"]
        sounds += [path for thing in things if thing.kind == "corpus" for path in _sounds_of(thing.path)]
        yield _guarded(Target(model, "model", Path(model)), listener, sounds)


@dataclass(frozen=True)
class ReferenceModel:
    """The model for which recordings are judged: that of a name, or the base configuration's."""

    model: str

    @cached_property
    def _settings(self) -> tuple[float, int, int]:
        """Steps a second, parameters, sample rate in Hz."""
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
        """Steps a second, parameters, sample rate in Hz; the base configuration's where the model fails."""
        try:
            return self._settings
        except UserError:
            return ReferenceModel("")._settings if self.model else (1600.0, 265_000, SAMPLE_RATE)

    @property
    def sample_rate(self) -> int:
        """In Hz; without a model, known without loading anything."""
        return self.settings()[2] if self.model else SAMPLE_RATE


def recognised(name: str) -> Iterator[Target]:
    """What a name stands for: patterns and folders of runs or of data sets are several things."""
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
    except UserError:
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
        return str(json.loads(config.read_text())["format"]).startswith("wavecast-model")
    except (OSError, ValueError, KeyError, TypeError):
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
    from pipeline.data.corpus import find_sources

    try:
        return [source.path for source in find_sources([corpus], "recording", 1)]
    except UserError:
        return []


def _guarded(thing: Target, listener: ReferenceModel, sounds: Sequence[Path]) -> Examination:
    """Examine one thing; what stops the examination becomes its finding."""
    try:
        return _examined(thing, listener, sounds)
    except (UserError, OSError) as problem:
        what = f"It cannot be examined: {problem}"
        finding = Finding("problem", "unreadable", what, "Check the name, or make it anew.")
    except Exception as problem:  # a damaged file may break any library in a way of its own
        what = f"It cannot be examined ({type(problem).__name__}: {' '.join(str(problem).split())[:200]})."
        finding = Finding("problem", "unreadable", what, "It is damaged or of another version: make it anew.")
    return Examination(thing.name, thing.kind, "", {}, (finding,))


def _examined(thing: Target, listener: ReferenceModel, sounds: Sequence[Path]) -> Examination:
    if thing.kind == "installation":
        from pipeline.diagnostics.installation import examine_installation

        return examine_installation()
    if thing.kind == "model":
        from pipeline.diagnostics.model import examine_model
        from pipeline.registry.registry import fetch_model

        return examine_model(thing.name, fetch_model(thing.name), sounds)
    if thing.kind == "run":
        from pipeline.diagnostics.run import examine_run

        return examine_run(thing.path)
    if thing.kind == "data set":
        from pipeline.diagnostics.dataset import examine_dataset

        return examine_dataset(thing.path)
    if thing.kind == "corpus":
        from pipeline.diagnostics.corpus import examine_corpus

        steps_per_second, parameters, sample_rate = listener.settings()
        return examine_corpus(thing.path, sample_rate, steps_per_second, parameters)
    if thing.kind == "music":
        return _music(thing)
    from pipeline.diagnostics.recording import examine_recording

    return examine_recording(thing.path, listener.sample_rate)


def _music(thing: Target) -> Examination:
    """A MIDI file: whether it reads, and what was left out."""
    from pipeline.music.midi import read_midi

    with thing.path.open("rb") as file:
        roll, notes = read_midi(file, 4)
    left_out = "They are left out when it is prepared."
    findings = [Finding("warning", "notes", f"{note}.", left_out) for note in notes]
    if not roll.any():
        findings.append(Finding("problem", "silent", "It holds no notes.", "Leave it out."))
    elif not findings:
        findings.append(Finding("fine", "notes", "Nothing is wrong with it."))
    return Examination(thing.name, "music", f"{len(roll)} steps of a sixteenth", {}, tuple(findings))
