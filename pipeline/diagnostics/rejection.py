"""Why a file cannot be used as a recording, and what to do about it."""

from pathlib import Path

from pipeline.diagnostics.findings import Examined, Finding

ADVICE = {  # words of a refusal: what to do about it
    "ffmpeg is not installed": "Install ffmpeg, or convert the file to FLAC or WAV.",
    "nor by ffmpeg": "If it should be sound, get it again from where it came from.",
    "empty file": "Get it again from where it came from.",
    "cut short": "Copy or download it again: a part of it is missing.",
    "damaged": "Copy or download it again; if the original is damaged, mend or cut it in an audio editor.",
    "not finite": "Write it again with the program that made it: what is no number cannot be a sample.",
    "holds integers": "Divide its samples by their full scale (32768 for 16 bits) and write it again.",
    "no such file": "Check the name.",
    "no samples": "Leave it out.",
    "longer than": "Split it into parts.",
    "sample rate": "Correct the rate in its header, or convert it to 16000 Hz.",
    "cannot be read": "Check its permissions, and that the disk is there.",
}
OTHERWISE = "Leave it out, or convert it to WAV with the program that made it."
DOWNLOAD_AGAIN = "Download it again: a server sent this in place of the sound."
DISGUISES = {  # first bytes, in lower case: what the file is, what to do about it
    b"version https://git-lfs": ("a pointer of Git LFS", "Run `git lfs pull` where it was cloned."),
    b"<!doctype html": ("a web page", DOWNLOAD_AGAIN),
    b"<html": ("a web page", DOWNLOAD_AGAIN),
    b"<?xml": ("an XML document", DOWNLOAD_AGAIN),
    b"\x1f\x8b": ("a gzip archive", "Unpack it with gunzip."),
    b"pk\x03\x04": ("a zip archive", "Unpack it."),
    b"\x89png": ("a picture", "Leave it out."),
    b"%pdf": ("a PDF document", "Leave it out."),
    b"mthd": (
        "a MIDI file",
        "Notes are for input.kind=piano-roll: prepare it with a configuration for music.",
    ),
}
TEXT = "a text file", "Leave it out; a list of recordings ends in .txt or .csv and names files that exist."


def refused(path: Path, reason: str) -> Examined:
    """A recording that cannot be used."""
    advice = next((advice for words, advice in ADVICE.items() if words in reason), OTHERWISE)
    if disguise := _disguise(path):
        reason, advice = f"{reason}; it begins like {disguise[0]}", disguise[1]
    finding = Finding("problem", "unreadable", f"It cannot be used: {reason}.", advice)
    return Examined(str(path), "recording", "not usable", {"refused": reason}, (finding,))


def _disguise(path: Path) -> tuple[str, str] | None:
    """What a file without sound is instead, and what to do; None where its beginning tells nothing."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return None
        with path.open("rb") as file:
            head = file.read(1024)
    except (OSError, ValueError):
        return None
    start = head.lstrip().lower()
    known = next((told for magic, told in DISGUISES.items() if start.startswith(magic)), None)
    printable = bool(head) and all(byte >= 32 or byte in b"\t\r\n" for byte in head) and head[:4] != b"RIFF"
    return known or (TEXT if printable and head.isascii() else None)
