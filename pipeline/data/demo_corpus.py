"""Three minutes of speech for the demo, synthesised by eSpeak NG so that nothing has to be downloaded.

eSpeak NG is a formant synthesiser. It comes as a shared library inside the package ``espeakng_loader``
(GPL-3.0, an optional extra that is imported nowhere else) and is called through ctypes. Its speech is very
regular: enough to see the whole pipeline work, no evidence of quality on natural speech.

``python -m pipeline.data.demo_corpus FOLDER`` makes the corpus from the shell.
"""

import contextlib
import ctypes
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from pipeline.common.files import read_json, write_json
from pipeline.common.hashing import digest_file
from pipeline.data.demo_sentences import ENGLISH, GERMAN, VOICES, Voice
from pipeline.errors import UserError

CORPUS_VERSION = 1
SAMPLE_RATE = 22_050  # of eSpeak NG, which has no other
SENTENCES_PER_VOICE = 4
VOLUME = 75  # of 100; the loudest sentence then peaks near 80 % of full scale
SEED = 1
LISTING = ".corpus.json"


def make_demo_corpus(folder: Path) -> Path:
    """Make the corpus at ``folder``, as ``<voice>/<number>.wav``, and return ``folder``.

    Each file is one sentence: mono, int16, 22,050 Hz. Every call makes the same bytes, since eSpeak, which
    keeps state from sentence to sentence, runs in a process of its own. A complete corpus is left as it
    is; an outdated one is replaced as long as nothing in it was added or changed.

    Raises `UserError` where eSpeak NG is missing or fails, or ``folder`` holds something else.
    """
    folder = folder.absolute()
    if _is_complete(folder):
        return folder
    # The folder above the packages is the working directory, so that a checkout needs no installation.
    child = subprocess.run(
        [sys.executable, "-m", "pipeline.data.demo_corpus", str(folder)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    if child.returncode:
        last_line = child.stderr.strip().splitlines()[-1:]
        raise UserError(f"the demo speech was not made: {''.join(last_line) or child.returncode}")
    return folder


def _speak_corpus(folder: Path) -> None:
    """Synthesise all sentences under a temporary name, list the files' hashes, rename onto ``folder``."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        made, replaced = Path(temporary) / "made", Path(temporary) / "replaced"
        with contextlib.chdir(_espeak_data().parent):
            engine = _Espeak()
            for voice, number, sentence in _assignments():
                path = made / voice.folder / f"{number}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_wav(path, engine.speak(voice, sentence))
        files = {name: digest_file(made / name) for name in _file_names(made)}
        write_json(made / LISTING, {"version": CORPUS_VERSION, "files": files})
        if folder.exists():
            folder.rename(replaced)
        made.rename(folder)


def _assignments() -> Iterator[tuple[Voice, int, str]]:
    """Yield voice, number and sentence of each file; no two voices share a sentence."""
    english, german = iter(ENGLISH), iter(GERMAN)
    for voice in VOICES:
        sentences = german if voice.name.startswith("de") else english
        for number in range(1, SENTENCES_PER_VOICE + 1):
            yield voice, number, next(sentences)


class _Espeak:
    """eSpeak NG in this process, whose output depends on all calls before.

    The working directory must be the folder around its data, during synthesis: it reads them again
    for every voice, by a path of which it keeps only about 140 characters.
    """

    def __init__(self) -> None:
        import espeakng_loader

        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as problem:
            raise UserError(f"eSpeak NG does not load on this machine: {problem}") from None
        # Speech is handed to a callback inside the call that asks for it; trouble is returned, not fatal.
        synchronous, return_on_error = 2, 0x8000
        data = _espeak_data().name.encode()
        rate = self._library.espeak_Initialize(synchronous, 0, data, return_on_error)
        if rate != SAMPLE_RATE:
            raise UserError(f"eSpeak NG does not start with its data at {_espeak_data()} (status {rate})")
        # Otherwise the breath of some voices would be seeded by the clock.
        self._library.espeak_ng_SetRandSeed(SEED)
        self._blocks: list[NDArray[np.int16]] = []
        self._callback = _CALLBACK(self._collect)  # kept: C holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, voice: Voice, sentence: str) -> NDArray[np.int16]:
        """Return the samples (N,) of one sentence at `SAMPLE_RATE`."""
        if self._library.espeak_SetVoiceByName(voice.name.encode()):
            raise UserError(f"eSpeak NG has no voice {voice.name!r}")
        rate, volume, pitch, pitch_range = 1, 2, 3, 4
        settings = {rate: voice.speed, volume: VOLUME, pitch: voice.pitch, pitch_range: voice.pitch_range}
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._blocks.clear()
        text, utf8 = sentence.encode(), 1
        size = ctypes.c_size_t(len(text) + 1)
        if self._library.espeak_Synth(text, size, 0, 0, 0, utf8, None, None) or not self._blocks:
            raise UserError(f"eSpeak NG did not speak {sentence!r}")
        return np.concatenate(self._blocks)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def _espeak_data() -> Path:
    """Return the folder of eSpeak NG's data; `UserError` where the extra is not installed."""
    try:
        import espeakng_loader
    except ImportError:
        raise UserError("the demo speech needs eSpeak NG: pip install 'wavecast[demo]'") from None
    return Path(espeakng_loader.get_data_path())


def _write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as recording:
        recording.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        recording.writeframes(samples.astype("<i2").tobytes())


def _is_complete(folder: Path) -> bool:
    listing = _listing(folder)
    return listing.get("version") == CORPUS_VERSION and all(
        (folder / name).is_file() and digest_file(folder / name) == digest
        for name, digest in listing["files"].items()
    )


def _reject_foreign_files(folder: Path) -> None:
    """Raise `UserError` where a file in ``folder`` is not one that the demo corpus wrote."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is no folder; give another name")
    ours = _listing(folder).get("files", {})
    for name in _file_names(folder):
        if digest_file(folder / name) != ours.get(name):
            raise UserError(f"{folder / name}: not of the demo corpus; move it away or give another folder")


class Listing(TypedDict, total=False):
    """The content of the list of files of the demo corpus."""

    version: int
    files: dict[str, str]


def _listing(folder: Path) -> dict[str, Any]:
    path = folder / LISTING
    listing: dict[str, Any] = read_json(path, "list of the demo corpus", Listing) if path.exists() else {}
    return listing


def _file_names(folder: Path) -> list[str]:
    """Return the files below ``folder`` except the listing, as sorted relative names with forward slashes."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LISTING)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def main(arguments: list[str]) -> int:
    """Make the corpus in this process, which must be fresh; the exit status."""
    if len(arguments) != 1:
        print("usage: python -m pipeline.data.demo_corpus FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).absolute()
    try:
        if not _is_complete(folder):
            _reject_foreign_files(folder)
            _speak_corpus(folder)
    except (UserError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
