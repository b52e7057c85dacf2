"""Reasons for which a file cannot be used as a recording, with advice for each."""

from pathlib import Path

from pipeline.diagnostics.findings import Examination, Finding
from pipeline.errors import RejectionCode

ADVICE: dict[RejectionCode, str] = {
    "not-a-file": "Name a file, or a folder of recordings.",
    "empty": "Download or copy it again from its source.",
    "missing": "Check the name.",
    "unreadable": "Check its permissions, and that its disk is connected.",
    "sample-rate": "Correct the rate in its header, or convert it to 16000 Hz.",
    "channels": "Keep fewer channels, or split it into several files.",
    "no-samples": "Leave it out.",
    "damaged": "Copy or download it again; if the original is damaged, repair or cut it in an audio editor.",
    "cut-short": "Copy or download it again: a part of it is missing.",
    "several-streams": "Split it into one file for each stream.",
    "not-fetched": "Check the network and the permissions on the server, and run the command again.",
    "no-decoder": "Install ffmpeg, or convert the file to FLAC or WAV.",
    "not-sound": "If it should be audio, download or copy it again from its source.",
    "crashed": "Convert it to WAV with another program, or prepare it on a machine with more memory.",
    "stalled": "Try again when the machine is less busy, or convert it to WAV with another program.",
    "too-long": "Split it into parts.",
    "manifest": "Correct its line in the manifest.",
    "outside": "Correct its times in the manifest, or copy the whole file again.",
    "not-finite": "Write it again with the program that made it: a sample cannot be infinite or NaN.",
    "not-amplitudes": "Divide its samples by their full scale (32768 for 16 bits) and write it again.",
    "not-notes": "Save it as MIDI, or as a set of piano rolls in .mat or .npz.",
    "no-notes": "Leave it out.",
    "midi-kind": "Save it again as MIDI of type 0 or 1, timed by quarter notes.",
    "sequence-name": "Name one of its sequences, as in FILE#train-000.",
}
"""What to do about a recording that is rejected for this reason."""

WITHOUT_ADVICE: frozenset[RejectionCode] = frozenset(
    (
        # Codes of scoring, continuing and compressing, which no examination does. Their texts have advice.
        "no-likelihood",
        "too-short",
        "not-compressed",
        "newer-format",
        "changed",
        "other-model",
        "other-arithmetic",
        "no-integers",
        "not-restored",
    )
)
OTHERWISE = "Leave it out, or convert it to WAV with the program that made it."
DOWNLOAD_AGAIN = "Download it again: a server sent this in place of the audio."
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
        "Prepare it with a configuration for music (input.kind=piano-roll).",
    ),
}
TEXT = "a text file", "Leave it out; a list of recordings ends in .txt or .csv and names files that exist."


def rejected(path: Path, reason: str, code: RejectionCode | None = None) -> Examination:
    """Return the examination of a recording that cannot be used.

    Args:
        path: the recording.
        reason: why it is rejected, as text for users.
        code: why it is rejected; None where a decoder failed with another exception.
    """
    advice = OTHERWISE if code is None else ADVICE.get(code, OTHERWISE)
    if disguise := _disguise(path):
        reason, advice = f"{reason}; it begins like {disguise[0]}", disguise[1]
    finding = Finding("problem", "unreadable", f"It cannot be used: {reason}.", advice)
    return Examination(str(path), "recording", "not usable", {"refused": reason}, (finding,))


def _disguise(path: Path) -> tuple[str, str] | None:
    """Return what a file without audio is, and what to do; None where its first bytes are unknown."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return None
        with path.open("rb") as file:
            head = file.read(1024)
    except (OSError, ValueError):
        return None
    start = head.lstrip().lower()
    known = next((found for magic, found in DISGUISES.items() if start.startswith(magic)), None)
    printable = bool(head) and all(byte >= 32 or byte in b"\t\r\n" for byte in head) and head[:4] != b"RIFF"
    return known or (TEXT if printable and head.isascii() else None)
