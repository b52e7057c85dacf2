"""The demo corpus: the same bytes every time, about three minutes, and never at a user's expense."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from pipeline.data.demo_corpus import main, make_demo_corpus
from pipeline.data.demo_sentences import ENGLISH, GERMAN, VOICES, Voice
from pipeline.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parents[3]
pytest.importorskip("espeakng_loader", reason="the demo extra is not installed")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_corpus(tmp_path_factory.mktemp("demo") / "speech")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def recordings(folder: Path) -> dict[str, NDArray[np.int16]]:
    return {
        path.relative_to(folder).as_posix(): sf.read(path, dtype="int16")[0] for path in folder.rglob("*.wav")
    }


@pytest.mark.slow
def test_a_second_process_speaks_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    time.sleep(1)  # left alone, eSpeak seeds the breath of some voices by the clock's second
    subprocess.run([sys.executable, "-m", "pipeline.data.demo_corpus", again], cwd=PROJECT_ROOT, check=True)
    assert contents(again) == contents(corpus)


def test_every_recording_is_mono_int16_at_the_synthesisers_rate(corpus: Path) -> None:
    infos = [sf.info(path) for path in corpus.rglob("*.wav")]
    assert len(infos) == 48
    assert {(info.samplerate, info.channels, info.subtype) for info in infos} == {(22_050, 1, "PCM_16")}
    assert all(2 < info.duration < 6 for info in infos)
    assert 170 < sum(info.duration for info in infos) < 200


def test_nothing_clips_and_nothing_is_faint(corpus: Path) -> None:
    peaks = [np.abs(samples.astype(int)).max() for samples in recordings(corpus).values()]
    assert max(peaks) < 0.85 * 32768
    assert min(peaks) > 0.25 * 32768


def test_twelve_voices_sound_different_and_never_share_a_sentence(corpus: Path) -> None:
    assert len(set(ENGLISH + GERMAN)) == len(ENGLISH + GERMAN) == 48
    spectra = {}
    for voice in sorted(folder for folder in corpus.iterdir() if folder.is_dir()):
        speech = np.concatenate(list(recordings(voice).values())).astype(float)
        frames = speech[: len(speech) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
        spectra[voice.name] = 10 * np.log10((np.abs(np.fft.rfft(frames)) ** 2).mean(0))[:256]
    assert len(spectra) == 12
    names = list(spectra)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert np.abs(spectra[one] - spectra[other]).mean() > 1, f"{one} and {other} differ by under 1 dB"


def test_a_complete_corpus_is_left_as_it_is_even_with_a_users_file_in_it(tmp_path: Path) -> None:
    folder = make_demo_corpus(tmp_path / "speech")
    (folder / "mine.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    make_demo_corpus(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_corpus_with_a_lost_file_is_made_anew(corpus: Path, tmp_path: Path) -> None:
    folder = make_demo_corpus(tmp_path / "speech")
    (folder / "de" / "1.wav").unlink()
    assert contents(make_demo_corpus(folder)) == contents(corpus)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_users_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "holiday.wav").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"holiday\.wav: not of the demo corpus"):
        make_demo_corpus(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        make_demo_corpus(tmp_path / "holiday.wav")
    assert contents(tmp_path) == {"holiday.wav": b"mine"}


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "espeakng_loader.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with pytest.raises(UserError, match=r"pip install 'wavecast\[demo\]'"):
        make_demo_corpus(tmp_path / "speech")
    assert not (tmp_path / "speech").exists()


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voices = (*VOICES[:1], Voice("no-such-language", 160, 50, 50))
    monkeypatch.setattr("pipeline.data.demo_corpus.VOICES", voices)
    assert main([str(tmp_path / "speech")]) == 1
    assert list(tmp_path.iterdir()) == []
