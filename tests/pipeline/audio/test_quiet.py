"""Damaged MP3 files are rejected with what decodes, and the decoder prints nothing by itself."""

import ctypes
import io
import os
import platform
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.quiet import quiet_libraries
from tests.helpers.recordings import RATE, refusal


@pytest.fixture
def mp3() -> bytes:
    target = io.BytesIO()
    soundfile.write(target, 0.3 * np.sin(np.arange(10 * RATE) / 9), RATE, format="MP3")
    return target.getvalue()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_cut_mp3_is_rejected_with_what_was_promised_and_what_decodes(
    share: float, mp3: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.mp3").write_bytes(mp3[: int(share * len(mp3))])
    reason = refusal(tmp_path / "cut.mp3")
    promised, decoded = map(int, re.findall(r"\d+", reason))
    assert promised == 10 * RATE
    assert abs(decoded / promised - share) < 0.1
    if platform.libc_ver()[0] == "glibc":
        assert capfd.readouterr().err == ""


def test_only_what_c_prints_within_the_block_is_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc's variable can be exchanged")
    library = ctypes.CDLL(None)

    def print_in_c(text: bytes) -> None:
        library.fputs(text, ctypes.c_void_p.in_dll(library, "stderr"))

    with quiet_libraries():
        with quiet_libraries():
            print_in_c(b"inner ")
        print_in_c(b"outer ")
        os.write(2, b"python ")
    print_in_c(b"after")
    assert capfd.readouterr().err == "python after"
