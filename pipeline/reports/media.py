"""Plots and sounds embedded in a page as data: addresses, up to a total size."""

import base64
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.pcm import resample, to_float

MEDIA_BYTES = 7_500_000
"""Most bytes of embedded plots and sounds in a page, in base64."""
MOST_EXAMPLES = 100  # continued recordings in a page
CONTINUED, RECORDING = "continued", "recording"
"""Suffixes of file names: the model's continuation, and the recording's own continuation."""
OTHERS = {RECORDING: "The recording itself", f"{CONTINUED}-2": "The model's second take"}
HEARD_S, ADDED_S = 20.0, 40.0  # most of a sound that a page plays, before and after the seam
GENERATED_S = 4.0
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MP3_COMPRESSION = 0.3  # near 50 kbit/s at 16 kHz
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A PNG in the page: its file's name without suffix, its address, and its size in pixels."""

    name: str
    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Sound:
    """One continuation of a recording: a player or a file to save, and its plots by kind.

    Attributes:
        label: the source of the continuation: the model or the recording.
        file: name of the sound's or MIDI file.
        address: the sound, or the notes; None where it is not in the page.
        seam_s: second of the continuation's beginning; None where it is not known.
        start_s: second of the file with which the page begins.
        duration_s: of what is in the page.
        whole_s: of the file.
        pictures: by kind, `sound` and `frames`.
    """

    label: str
    file: str
    address: str | None
    seam_s: float | None
    start_s: float
    duration_s: float
    whole_s: float
    pictures: dict[str, Picture]

    @property
    def is_notes(self) -> bool:
        """Return whether the sound is a MIDI file, which browsers do not play."""
        return self.file.endswith(".mid")


@dataclass(frozen=True)
class Example:
    """A held-out recording with continuations: takes of the model, and the recording's own."""

    name: str
    sounds: list[Sound]


@dataclass
class EmbedBudget:
    """The remaining budget of `MEDIA_BYTES`.

    Attributes:
        left: bytes.
        left_out: names of the files for which it was too little.
        pictures: the pictures that were asked for, whether or not there was room.
    """

    left: int = MEDIA_BYTES
    left_out: list[str] = field(default_factory=list)
    pictures: set[Path] = field(default_factory=set)

    def address(self, data: bytes, kind: str, name: str) -> str | None:
        """Return a file as a data: address, or None if it is too large for the rest of the budget.

        Args:
            data: content of the file.
            kind: media type, such as `image/png`.
            name: name of the file in the list of those left out.
        """
        size = 4 * math.ceil(len(data) / 3)
        if size > self.left:
            self.left_out.append(name)
            return None
        self.left -= size
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    def picture(self, path: Path) -> Picture | None:
        """Return the PNG at ``path``; None if it is missing or damaged, or the budget is too small."""
        self.pictures.add(path)
        data = path.read_bytes() if path.is_file() else b""
        if not data.startswith(PNG_SIGNATURE) or len(data) < 24:
            return None
        address = self.address(data, "image/png", path.name)
        return Picture(path.stem, address, *struct.unpack(">II", data[16:24])) if address else None


def examples_of(artifacts: Path, config: dict[str, Any], room: EmbedBudget) -> Iterator[Example]:
    """Yield the continued recordings of a run, with their plots.

    Args:
        artifacts: folder of the run's artifacts.
        config: the run's configuration, as plain values.
        room: budget of the page, which is reduced.
    """
    found = [x for x in sorted((artifacts / "sounds").glob(f"*-{CONTINUED}.*")) if x.suffix in READERS]
    found = [path for path in found if path.name[0] != "."]
    room.left_out += [path.name for path in found[MOST_EXAMPLES:]]
    for path in found[:MOST_EXAMPLES]:
        name = path.stem.removesuffix(f"-{CONTINUED}")
        first = _sound_of(path, "The model's continuation", config, None, room)
        seam_s = None if first.seam_s is None else first.start_s + first.seam_s
        others = [
            _sound_of(other, label, config, seam_s, room)
            for suffix, label in OTHERS.items()
            if (other := path.with_name(f"{name}-{suffix}{path.suffix}")).is_file()
        ]
        yield Example(name, [first, *others])


def _sound_of(
    path: Path, label: str, config: dict[str, Any], seam_s: float | None, room: EmbedBudget
) -> Sound:
    """Read one file; if ``seam_s`` is None, the seam follows from the settings and the file's length."""
    samples = config["samples"]
    found = READERS[path.suffix](path, samples["context_seconds"], samples["seconds"], seam_s)
    address = room.address(found.data, found.kind, path.name) if found.data else None
    pictures = path.parents[1] / "pictures"
    drawn = {
        "sound": pictures / f"{path.stem}.png",
        "frames": pictures / f"{path.stem.removesuffix(f'-{CONTINUED}')}-frames.png",
    }
    embedded = {kind: picture for kind, place in drawn.items() if (picture := room.picture(place))}
    times = found.seam_s, found.start_s, found.duration_s, found.whole_s
    return Sound(label, path.name, address, *times, embedded)


def generated(folder: Path, room: EmbedBudget) -> list[Example]:
    """Return an unconditional sound of a model of waveforms; of other models none.

    Args:
        folder: the model folder.
        room: budget of the page, which is reduced.
    """
    from pipeline.generation.generate import continue_samples
    from pipeline.model.storage import load_model

    model = load_model(folder, "auto")
    if not model.representation.rows_are_samples:
        return []
    (sound,) = continue_samples(model, np.zeros(0, np.int16), GENERATED_S).added
    data = _mp3(to_float(sound, np.float64), model.audio.sample_rate)
    address = room.address(data, "audio/mpeg", "generated")
    label = "Generated by the model without a recording"
    sound = Sound(label, "generated.mp3", address, None, 0.0, GENERATED_S, GENERATED_S, {})
    return [Example("from nothing", [sound])]


@dataclass(frozen=True)
class Found:
    """The embedded part of a file: its position and seam in seconds, its bytes and media type."""

    whole_s: float = 0.0
    duration_s: float = 0.0
    seam_s: float | None = None
    start_s: float = 0.0
    data: bytes = b""
    kind: str = ""


def _sound(path: Path, prime_s: float, added_s: float, seam_s: float | None) -> Found:
    """Return a sound file around its seam as MP3; no bytes if it cannot be read."""
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
            rate, whole_s = file.samplerate, file.frames / file.samplerate
            if seam_s is None:  # the context of shorter recordings is the whole recording
                seam_s = min(prime_s, max(0.0, whole_s - added_s))
            start_s = max(0.0, seam_s - HEARD_S)
            file.seek(round(start_s * rate))
            sound = file.read(round((seam_s - start_s + ADDED_S) * rate), "float32", always_2d=True)[:, 0]
            duration_s, data = len(sound) / rate, _mp3(sound, rate)
            return Found(whole_s, duration_s, seam_s - start_s, start_s, data, "audio/mpeg")
    except soundfile.LibsndfileError:
        return Found()


def _mp3(sound: Any, rate: int) -> bytes:
    """Return samples (N,) as MP3, which all browsers play, at their rate or the next rate of MP3."""
    import io

    import soundfile

    chosen = min((each for each in MP3_RATES if each >= rate), default=MP3_RATES[-1])
    encoded = io.BytesIO()
    soundfile.write(
        encoded,
        resample(sound, rate, chosen),
        chosen,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=MP3_COMPRESSION,
    )
    return encoded.getvalue()


def _notes(path: Path, prime_s: float, added_s: float, seam_s: float | None) -> Found:
    """Return a whole MIDI file."""
    import mido

    try:
        whole_s = float(mido.MidiFile(path).length)
    except Exception:  # a damaged file may raise anything
        return Found()
    if seam_s is None:
        seam_s = min(prime_s, max(0.0, whole_s - added_s))
    return Found(whole_s, whole_s, seam_s, 0.0, path.read_bytes(), "audio/midi")


READERS = {".wav": _sound, ".mid": _notes}
