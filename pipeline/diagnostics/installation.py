"""Examination of the installation: packages, decoders, GPU, disk, and the store of runs."""

import importlib
import os
import platform
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.audio.readers import READERS
from pipeline.common.files import data_location
from pipeline.diagnostics.findings import Examination, Finding, counted, worst_first
from pipeline.errors import UserError
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.store import redacted_uri, store_uri

OPTIONAL = {  # package: what is missing without it, how to get it
    "espeakng-loader": ("`wavecast demo` without recordings of your own", "pip install 'wavecast[demo]'"),
    "onnx": ("export to ONNX", "pip install 'wavecast[export]'"),
    "onnxruntime": ("checking an export to ONNX", "pip install 'wavecast[export]'"),
    "pesq": ("the PESQ figure", "pip install 'wavecast[pesq]' (needs a C compiler)"),
}
LITTLE_DISK_GB, NO_DISK_GB = 10.0, 1.0
ANSWER_S = 3.0
DISTRIBUTION = "wavecast"
PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages: a checkout, or `site-packages`."""
TORCH, TORCHAUDIO = "torch>=2.11,<2.12", "torchaudio>=2.11,<2.12"


def examine_installation() -> Examination:
    """Return what is missing, incompatible or cannot be reached; never raises."""
    figures: dict[str, Any] = {"python": platform.python_version(), "packages": _versions()}
    figures |= {"data": str(data_location()), "store": None, "processors": os.cpu_count()}
    findings = [*_packages(), *_optional(), *_decoders(), *_torch(figures), *_data(figures), *_store(figures)]
    summary = (
        f"Python {figures['python']}, {platform.system()} {platform.machine()}, data in {figures['data']}"
    )
    return Examination(DISTRIBUTION, "installation", summary, figures, worst_first(findings))


def _requirements() -> list[Any]:
    """Return the requirements of wavecast on this platform with their versions, without extras."""
    from packaging.requirements import Requirement

    try:
        found = [Requirement(text) for text in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:  # imported from a copy that was never installed
        return []
    return [need for need in found if need.marker is None or need.marker.evaluate({"extra": ""})]


def _versions() -> dict[str, str | None]:
    names = [need.name for need in _requirements()] or ["torch", "torchaudio", "numpy", "soundfile", "mlflow"]
    return {name: installed(name) for name in [*names, *OPTIONAL]}


def installed(name: str) -> str | None:
    """Return the version of a package without importing it, or None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    wrong = 0
    for need in _requirements():
        found = installed(need.name)
        if found is None:
            wrong += 1
            yield Finding("problem", "package", f"{need.name} is not installed.", f"pip install '{need}'")
        elif not need.specifier.contains(found, prereleases=True):
            wrong += 1
            what = f"{need.name} has version {found}, but wavecast needs {need.specifier}."
            yield Finding("warning", "package", what, f"pip install '{need.name}{need.specifier}'")
    if not wrong and (count := len(_requirements())):
        yield Finding("fine", "package", f"All {count} required packages are installed in fitting versions.")


def _optional() -> Iterator[Finding]:
    for name, (what_for, how) in OPTIONAL.items():
        if installed(name) is None:
            what = f"{name} is not installed, which is needed for {what_for}."
            yield Finding("fine", "optional", what, f"To install it: {how}.")


def _decoders() -> Iterator[Finding]:
    for reader in READERS:
        found = reader.here()
        yield Finding(found.severity, reader.name, found.what, found.advice)


def _torch(figures: dict[str, Any]) -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as problem:
        what = f"torch does not load ({_first_line(problem)}): nothing can be trained or predicted."
        yield Finding("problem", "torch", what, f"pip install '{TORCH}'")
        return
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as problem:
        found = f"torchaudio {installed('torchaudio') or '(missing)'}"
        what = (
            f"{found} does not load beside torch {torch.__version__} ({_first_line(problem)}):"
            " mel spectrograms cannot be computed."
        )
        advice = f"Both must be of one version and build: pip install '{TORCH}' '{TORCHAUDIO}'"
        yield Finding("problem", "torchaudio", what, advice)
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        figures["gpu"] = properties.name
        memory = f"{properties.total_memory / 2**30:.0f} GiB"
        yield Finding("fine", "gpu", f"A GPU is used: {properties.name}, {memory}.")
        return
    figures["gpu"] = None
    if torch.version.cuda is None:
        why, advice = "this build of torch has no CUDA", "If there is a GPU, install a CUDA build of torch."
    elif shutil.which("nvidia-smi") is None and not Path("/dev/nvidia0").exists():
        why, advice = "no NVIDIA GPU or driver was found", ""
    else:
        why, advice = "CUDA cannot use it", f"The driver must be new enough for CUDA {torch.version.cuda}."
    severity: Any = "warning" if why == "CUDA cannot use it" else "fine"
    what = f"No GPU is used ({why}); networks are computed on {os.cpu_count()} processors."
    yield Finding(severity, "gpu", what, advice)


def _first_line(problem: BaseException) -> str:
    return str(problem).splitlines()[0][:160] if str(problem) else type(problem).__name__


def _data(figures: dict[str, Any]) -> Iterator[Finding]:
    """Examine the data folder: its place, whether it is writable, and free disk space."""
    folder = data_location()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    named = "set WAVECAST_DATA to move it"
    if os.environ.get("WAVECAST_DATA"):
        named = "WAVECAST_DATA names it"
    elif not (PROJECT / "pyproject.toml").is_file():
        named = f"the user's data folder; {named}"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = f"The data folder {folder} cannot be written ({named})."
        yield Finding("problem", "data", what, "Set WAVECAST_DATA to a writable folder.")
        return
    free_gb = shutil.disk_usage(there).free / 1e9
    figures["free_gb"] = round(free_gb, 1)
    what = f"{free_gb:,.1f} GB are free on the disk of the data folder ({folder}; {named})."
    if free_gb < LITTLE_DISK_GB:
        severity: Any = "problem" if free_gb < NO_DISK_GB else "warning"
        yield Finding(
            severity,
            "disk",
            what,
            "`wavecast clean` frees some space. An hour of audio at 16 kHz needs 0.12 GB.",
        )
    else:
        yield Finding("fine", "disk", what)


def _store(figures: dict[str, Any]) -> Iterator[Finding]:
    """Examine the store of runs and models, without the slow import of MLflow."""
    try:
        uri = store_uri()
    except UserError:  # the data folder cannot be made, which is a finding already
        return
    figures["store"] = redacted_uri(uri)
    database = sqlite_file(uri)
    if database is not None:
        yield from _sqlite_store(database)
        return
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        yield Finding("fine", "store", f"Runs are recorded in {redacted_uri(uri)}, which was not checked.")
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), ANSWER_S):
            yield Finding("fine", "store", f"The tracking server at {redacted_uri(uri)} answers.")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", "") or problem
        what = f"The tracking server at {redacted_uri(uri)} does not answer ({reason})."
        advice = "Check MLFLOW_TRACKING_URI and the server. Training works without it; runs are sent later."
        yield Finding("warning", "store", what, advice)


def _sqlite_store(database: Path) -> Iterator[Finding]:
    if not database.exists():
        yield Finding("fine", "store", f"No run is recorded yet; the first run creates {database}.")
        return
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            (runs,) = connection.execute("select count(*) from runs").fetchone()
    except sqlite3.Error as problem:
        what = f"The store of runs {database} cannot be read ({problem})."
        yield Finding("problem", "store", what, "Move it elsewhere; runs are sent again from their folders.")
        return
    yield Finding(
        "fine", "store", f"The store of runs {database} is readable and has {counted(runs, 'run')}."
    )
