"""Advice on rejected recordings depends on the code of the error, whatever its message says."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.audio.reader import Note, NoteCode
from pipeline.diagnostics.recording import examine_recording
from pipeline.diagnostics.rejection import ADVICE, WITHOUT_ADVICE, rejected
from pipeline.errors import RecordingRejected, RejectionCode
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import noise, write_sound

CODES = get_args(RejectionCode)


def test_every_code_has_advice_or_is_deliberately_without() -> None:
    assert set(ADVICE) | WITHOUT_ADVICE == set(CODES)
    assert not set(ADVICE) & WITHOUT_ADVICE
    assert all(advice.endswith(".") for advice in ADVICE.values())


def test_every_code_is_raised_somewhere() -> None:
    source = "".join(path.read_text() for path in (PROJECT_ROOT / "pipeline").rglob("*.py"))
    raised = set(re.findall(r'RecordingRejected\(\s*"([a-z-]+)"', source))
    assert raised == set(CODES)
    assert set(re.findall(r'Note\(\s*"([a-z-]+)"', source)) == set(get_args(NoteCode))


@pytest.mark.parametrize("code", ADVICE)
def test_a_reworded_reason_keeps_its_advice(code: RejectionCode, tmp_path: Path) -> None:
    (finding,) = rejected(tmp_path / "a.wav", "other words", code).findings
    assert finding.advice == ADVICE[code]


def test_a_code_survives_the_path_before_the_reason() -> None:
    rejection = RecordingRejected("cut-short", "cut short").about("a.wav")
    assert (rejection.code, str(rejection), rejection.exit_code) == ("cut-short", "a.wav: cut short", 1)


def test_rejections_reach_the_doctor_with_their_code(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "whole.wav", noise(8_000)).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:-4_000])
    (tmp_path / "empty.wav").write_bytes(b"")
    loud = write_sound(tmp_path / "loud.wav", 30_000 * np.ones(800), subtype="FLOAT")
    expected = {
        tmp_path / "cut.wav": "cut-short",
        tmp_path / "empty.wav": "empty",
        loud: "not-amplitudes",
        tmp_path / "none.wav": "missing",
        tmp_path: "not-a-file",
    }
    for path, code in expected.items():
        (finding,) = examine_recording(path, 16_000).findings
        assert finding.advice == ADVICE[code]  # type: ignore[index]


def test_a_note_is_its_text_with_a_code() -> None:
    note = Note("clipped", "3 samples were clipped")
    assert note == "3 samples were clipped"
    assert note.code == "clipped"
