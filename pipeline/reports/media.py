"""Pictures and sounds inside a page, as data: addresses, as long as there is room."""

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
"""Room for pictures and sounds in a page, as they are written there: four bytes for three."""
MOST_TAKES = 100  # continued recordings in a page
HEARD_S, ADDED_S = 20.0, 40.0  # most of a sound that a page plays, before and after the seam
GENERATED_S = 4.0
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MP3_COMPRESSION = 0.3  # near 50 kbit/s at 16 kHz
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
DRAWN = ("continued", "frames")  # pictures of a continued recording, beside it by their names


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


def takes_of(artifacts: Path, config: dict[str, Any], room: Room) -> Iterator[Take]:
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


def generated(folder: Path, room: Room) -> list[Take]:
    """A sound from nothing by the model in this folder, if it is one of samples."""
    from pipeline.api import load_model
    from pipeline.config.inputs import WaveformConfig

    model = load_model(folder)
    if not isinstance(model.trained.input, WaveformConfig):
        return []
    (sound,) = model.generate(GENERATED_S).added
    data = _mp3(to_float(sound, np.float64), model.sample_rate)
    address = room.address(data, "audio/mpeg", "generated")
    return [Take("from nothing", "generated.mp3", address, None, GENERATED_S, GENERATED_S, {})]


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


def _notes(path: Path, prime_s: float, added_s: float) -> Found:
    """A MIDI file as it is."""
    import mido

    try:
        whole_s = float(mido.MidiFile(path).length)
    except Exception:  # a damaged file may raise anything
        return 0.0, 0.0, None, b"", ""
    return whole_s, whole_s, min(prime_s, max(0.0, whole_s - added_s)), path.read_bytes(), "audio/midi"


READERS = {".wav": _sound, ".mid": _notes}
