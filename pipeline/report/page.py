"""The report of a run: one HTML page with its figures, pictures and players, as Hugging Face's model cards.

Everything is inside the page: pictures and sounds are data: addresses, the style is inline, there is no
script, and its content security policy forbids any request. The words are in the template
`page.html`, which escapes whatever comes from users.
"""

import base64
import math
import platform
import shlex
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.config import RunConfig
from pipeline.config_model import ModelConfig
from pipeline.errors import UserError
from pipeline.files import atomic_path, data_dir, read_json
from pipeline.run_folder import RunFolder
from pipeline.tracking_record import parameters

MEDIA_BYTES = 7_500_000
"""Room for pictures and sounds in a page, as they are written there: four bytes for three."""
MOST_SETTINGS = 60_000  # characters of a configuration, which may name thousands of recordings
MOST_TAKES = 100  # continued recordings in a page
HEARD_S, ADDED_S = 20.0, 40.0  # most of a sound that a page plays, before and after the seam
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MP3_COMPRESSION = 0.3  # near 50 kbit/s at 16 kHz
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHOWN_APART = ("learning_curve", "comparison", "horizons", "reach")
DRAWN = ("continued", "frames")  # pictures of a continued recording, beside it by their names
PACKAGES = ("wavecast", "torch", "numpy")


@dataclass(frozen=True)
class Picture:
    """A PNG in the page: its file's name without suffix, its address, and its size in pixels."""

    name: str
    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Take:
    """A continued recording: a player or a file to save, and its pictures by kind (`continued`, `frames`).

    Attributes:
        name: of the recording.
        file: name of the sound's or MIDI file.
        address: the sound, or the notes; None where it is not in the page.
        seam_s: second of the continuation's beginning; None where it is not known.
        duration_s: of what is in the page.
        whole_s: of the file.
    """

    name: str
    file: str
    address: str | None
    seam_s: float | None
    duration_s: float
    whole_s: float
    pictures: dict[str, Picture]

    @property
    def is_notes(self) -> bool:
        """Whether it is a MIDI file, which browsers do not play."""
        return self.file.endswith(".mid")


@dataclass
class Room:
    """What is left of `MEDIA_BYTES`, and the names of the files for which it was too little."""

    left: int = MEDIA_BYTES
    left_out: list[str] = field(default_factory=list)

    def address(self, data: bytes, kind: str, name: str) -> str | None:
        """``data`` of the media type ``kind`` as a data: address, or None where there is no room."""
        size = 4 * math.ceil(len(data) / 3)
        if size > self.left:
            self.left_out.append(name)
            return None
        self.left -= size
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    def picture(self, path: Path) -> Picture | None:
        """The PNG at ``path``; None where there is none, it is damaged, or there is no room."""
        data = path.read_bytes() if path.is_file() else b""
        if not data.startswith(PNG_SIGNATURE) or len(data) < 24:
            return None
        address = self.address(data, "image/png", path.name)
        return Picture(path.stem, address, *struct.unpack(">II", data[16:24])) if address else None


def write_run_report(run: RunFolder, evaluation: dict[str, Any] | None = None) -> Path:
    """Write `report.html` among a run's artifacts; see `run_page`. Returns its path."""
    path = run.artifacts / "report.html"
    write_page(path, run_page(run, evaluation))
    return path


def write_page(path: Path, page: str) -> None:
    """Write a page, atomically; a file name that is no text loses what is not."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))


def page_of(target: str) -> str:
    """The page of a run, by its folder or its name below `runs`, or of a model as `fetch_model` knows it.

    Raises `UserError` where there is no such thing.
    """
    for folder in (Path(target).expanduser(), data_dir() / "runs" / target):
        if (folder / "run.json").is_file():
            return run_page(RunFolder(folder.absolute()))
    if target.startswith(("models:/", "runs:/")):
        from pipeline.registry import fetch_model

        return model_page(fetch_model(target), target)
    folder = Path(target).expanduser().absolute()
    if (folder / "config.json").is_file():
        return model_page(folder, str(folder))
    raise UserError(
        f"{target}: no such run or model; give a run's folder, its name in {data_dir() / 'runs'}, a model's "
        "folder, or models:/NAME@ALIAS"
    )


def run_page(run: RunFolder, evaluation: dict[str, Any] | None = None) -> str:
    """The page of a run, as far as it has come.

    ``evaluation`` is what `pipeline.evaluation.evaluate` found; None: what the run's artifacts say.
    """
    description, status = run.description(), run.status()
    noted = run.artifacts / "evaluation.json"
    if evaluation is None and noted.exists():
        evaluation = read_json(noted, "evaluation")
    config, model_file = description["config"], run.model / "config.json"
    room = Room()
    pictures = {name: room.picture(run.artifacts / "pictures" / f"{name}.png") for name in SHOWN_APART}
    takes = list(_takes(run.artifacts, config, room))
    shown = {f"{take.name}-{drawn}" for take in takes for drawn in DRAWN} | {*SHOWN_APART}
    others = [path for path in sorted((run.artifacts / "pictures").glob("*.png")) if path.stem not in shown]
    known_as = f"models:/{config['tracking']['registered_model']}@{description['variant']}"
    return _render(
        name=description["name"],
        created=datetime.fromtimestamp(description["created_ms"] / 1000, UTC),
        status=status,
        variant=description["variant"],
        trained=read_json(model_file, "model").get("trained", {}) if model_file.exists() else {},
        parameters=status.get("parameters", {}),
        evaluation=evaluation,
        step_s=_step_s(run.artifacts, evaluation),
        losses=[
            x["metrics"]["valid/nats_per_step"] for x in run.lines() if "valid/nats_per_step" in x["metrics"]
        ],
        data=_data(run.dataset),
        fingerprint=description["fingerprint"],
        pictures=pictures,
        takes=takes,
        others=[picture for picture in map(room.picture, others) if picture],
        left_out=room.left_out,
        folder=run.path,
        model=shlex.quote(str(run.model.absolute())),
        # Only what a run calls a variant is registered under that name.
        known_as=shlex.quote(known_as) if description["variant"] != config["name"] else None,
        **_settings(config),
    )


def model_page(folder: Path, reference: str) -> str:
    """The page of a lone model: what it is, how large, how to use it. ``reference`` is what it is called."""
    content = read_json(folder / "config.json", "model")
    if not isinstance(content, dict) or not {"input", "model"} <= content.keys():
        raise UserError(f"{folder}: config.json is not that of a wavecast model")
    trained = content.get("trained", {})
    return _render(
        name=trained.get("run", reference),
        created=None,
        status={},
        variant=None,
        trained=trained,
        parameters=_count_weights(folder / "model.safetensors"),
        evaluation=None,
        step_s=None,
        losses=[],
        data=None,
        fingerprint=trained.get("data_fingerprint"),
        pictures=dict.fromkeys(SHOWN_APART),
        takes=[],
        others=[],
        left_out=[],
        folder=folder,
        model=shlex.quote(reference),
        known_as=None,
        **_settings({key: content[key] for key in ("input", "model")}),
    )


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Sections of the configuration, what it changes of the defaults, and its text, without passwords."""
    import yaml

    own = {key: value for key, value in config.items() if key not in ("tracking", "variants")}
    text = yaml.safe_dump(own, sort_keys=False, allow_unicode=True, default_flow_style=False)
    base = RunConfig().model_dump(mode="json")
    label = {"variant": "", "fingerprint": ""}
    before, after = parameters({**label, "config": base}), parameters({**label, "config": own})
    changed = [(key, value, before.get(key)) for key, value in after.items() if before.get(key) != value]
    return {
        "input": own["input"],
        "network": {**ModelConfig().model_dump(mode="json"), **own["model"]},
        "changed": [each for each in changed if each[0] not in ("name", "corpus.inputs")],
        "settings": text[:MOST_SETTINGS],
        "inputs": own.get("corpus", {}).get("inputs", []),
        "settings_left_out": max(0, len(text) - MOST_SETTINGS),
    }


def _takes(artifacts: Path, config: dict[str, Any], room: Room) -> Iterator[Take]:
    """The continuations below ``artifacts``, each with its pictures, as long as there is room."""
    samples = config["samples"]
    found = [x for x in sorted((artifacts / "sounds").glob("*")) if x.suffix in READERS and x.name[0] != "."]
    room.left_out += [path.name for path in found[MOST_TAKES:]]
    for path in found[:MOST_TAKES]:
        read = READERS[path.suffix]
        whole_s, duration_s, seam_s, data, kind = read(path, samples["prime_seconds"], samples["seconds"])
        address = room.address(data, kind, path.name) if data else None
        name = path.stem.removesuffix("-continued")
        drawn = {
            kind: picture
            for kind in DRAWN
            if (picture := room.picture(artifacts / "pictures" / f"{name}-{kind}.png"))
        }
        yield Take(name, path.name, address, seam_s, duration_s, whole_s, drawn)


Found = tuple[float, float, float | None, bytes, str]
"""Seconds of the file, of what is taken of it, before the seam; that as bytes, and their media type."""


def _sound(path: Path, prime_s: float, added_s: float) -> Found:
    """A sound file around its seam, as MP3; no bytes where it cannot be read."""
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
            rate, whole_s = file.samplerate, file.frames / file.samplerate
            seam_s = min(prime_s, max(0.0, whole_s - added_s))  # shorter recordings are heard in full
            start_s = max(0.0, seam_s - HEARD_S)
            file.seek(round(start_s * rate))
            sound = file.read(round((seam_s - start_s + ADDED_S) * rate), "float32", always_2d=True)[:, 0]
            return whole_s, len(sound) / rate, seam_s - start_s, _mp3(sound, rate), "audio/mpeg"
    except soundfile.LibsndfileError:
        return 0.0, 0.0, None, b"", ""


def _mp3(sound: Any, rate: int) -> bytes:
    """Samples (N,) as MP3, which all browsers play, at their own rate or the next that it has."""
    import io

    import soundfile
    import soxr

    chosen = min((each for each in MP3_RATES if each >= rate), default=MP3_RATES[-1])
    encoded = io.BytesIO()
    soundfile.write(
        encoded,
        sound if chosen == rate else soxr.resample(sound, rate, chosen),
        chosen,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=MP3_COMPRESSION,
    )
    return encoded.getvalue()


def _notes(path: Path, prime_s: float, added_s: float) -> Found:
    """A MIDI file as it is."""
    import mido

    try:
        whole_s = float(mido.MidiFile(path).length)
    except Exception:  # a damaged file may raise anything
        return 0.0, 0.0, None, b"", ""
    return whole_s, whole_s, min(prime_s, max(0.0, whole_s - added_s)), path.read_bytes(), "audio/midi"


READERS = {".wav": _sound, ".mid": _notes}


def _step_s(artifacts: Path, evaluation: dict[str, Any] | None) -> float | None:
    """Seconds of a step, as its reach was measured, or else as the evaluated recordings say."""
    path = artifacts / "reach.json"
    if path.exists():
        return float(read_json(path, "reach of a model")["step_seconds"])
    return evaluation["seconds"] / evaluation["steps"] if evaluation and evaluation["steps"] else None


def _data(dataset: Path) -> list[tuple[str, int, int, float]] | None:
    """Recordings, groups and seconds of each split of the data set; None where it is gone."""
    from pipeline.manifest import read_manifest

    try:
        records = [record for record in read_manifest(dataset.parent / "manifest.jsonl") if record.split]
    except UserError:
        return None
    splits = {split: [r for r in records if r.split == split] for split in ("train", "valid", "test")}
    return [
        (split, len(found), len({r.group for r in found}), sum(r.seconds or 0.0 for r in found))
        for split, found in splits.items()
    ]


def _count_weights(path: Path) -> dict[str, int]:
    """How many parameters a file of weights has, from its header alone; none where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return {"all": sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())}  # noqa: SIM118
    except (SafetensorError, OSError):
        return {}


def _span(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit_s, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _best(rows: Sequence[tuple[str, dict[str, Any]]], figure: str) -> tuple[str, float] | None:
    """Name and figure of the baseline with the lowest one; a limit that is not finite is none."""
    found = [(name, row[figure]) for name, row in rows if row[figure] is not None]
    return min(found, key=lambda each: each[1], default=None)


def _render(**facts: Any) -> str:
    """Fill in the template, where all that is put in is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": _span, "figure": _figure, "grouped": "{:,}".format}
    return environment.get_template("page.html").render(
        versions=_versions(), system=platform.platform(terse=True), best=_best, **facts
    )


def _versions() -> dict[str, str]:
    """Of what writes the report; a package that is copied, not installed, does not tell its own."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
