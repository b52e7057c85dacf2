"""Files that `wavecast decompress` rejects: damaged, foreign, newer, or of another model."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.files import read_json, write_json
from pipeline.compression import codec
from pipeline.compression.codec import CodingModel, compress_sound, decompress_sound
from pipeline.compression.container import VERSION, open_coded
from pipeline.errors import RecordingRejected
from tests.fuzz.own_files import joined, parts_of, sealed_coded
from tests.helpers.builders import tiny_model, tone, write_sound
from tests.helpers.coded_files import saved


def refusal(coding: CodingModel | None, file: Path) -> str:
    """Return why the file is rejected, after checking that it is one line and nothing is written."""
    target = file.parent / "never.wav"
    with pytest.raises(RecordingRejected) as refused:
        decompress_sound(coding, file, target)
    assert not target.exists()
    assert "\n" not in str(refused.value)
    return str(refused.value)


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_found_before_anything_is_decoded(
    coding: CodingModel, coded: Path, data: st.DataObject
) -> None:
    content = bytearray(coded.read_bytes())
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    content[place // 8] ^= 1 << place % 8
    damaged = coded.with_name("damaged.wcz")
    damaged.write_bytes(content)
    with pytest.raises(RecordingRejected, match=r"damaged|not a recording"), open_coded(damaged):
        pass
    refusal(coding, damaged)


@settings(max_examples=40)
@given(data=st.data())
def test_a_file_cut_anywhere_is_rejected(coding: CodingModel, coded: Path, data: st.DataObject) -> None:
    content = coded.read_bytes()
    damaged = coded.with_name("cut.wcz")
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert "cut short" in refusal(coding, damaged) or not damaged.stat().st_size


def test_bytes_behind_the_end_are_damage(coding: CodingModel, coded: Path) -> None:
    longer = coded.with_name("longer.wcz")
    longer.write_bytes(coded.read_bytes() + b"\0")
    assert "damaged" in refusal(coding, longer)


@pytest.mark.parametrize("content", [b"", b"\x89", b"RIFF1234WAVE", bytes(100)])
def test_other_files_are_rejected(tmp_path: Path, coding: CodingModel, content: bytes) -> None:
    (tmp_path / "a.wcz").write_bytes(content)
    message = refusal(coding, tmp_path / "a.wcz")
    assert {b"": "empty", b"\x89": "cut short"}.get(content, "not a recording written by") in message


def test_missing_files_are_rejected(tmp_path: Path, coding: CodingModel) -> None:
    assert "no such file" in refusal(coding, tmp_path / "a.wcz")


def test_a_newer_version_is_reported(coding: CodingModel, coded: Path, tmp_path: Path) -> None:
    header, blocks = parts_of(coded.read_bytes())
    (tmp_path / "a.wcz").write_bytes(sealed_coded(header, joined(blocks), VERSION + 1))
    assert f"newer than this wavecast's {VERSION}" in refusal(coding, tmp_path / "a.wcz")


def test_another_model_is_rejected_by_name(coding: CodingModel, coded: Path, tmp_path: Path) -> None:
    other = CodingModel.load(saved(tmp_path / "second", tiny_model(seed=1)), "second")
    message = refusal(other, coded)
    assert coding.hash[:12] in message
    assert other.hash[:12] in message
    assert "then named first" in message
    assert "--model" in message


def test_a_copy_of_the_model_with_another_history_is_the_same_model(
    coding: CodingModel, coded: Path, tmp_path: Path, model_folder: Path
) -> None:
    copy = saved(tmp_path / "copy", tiny_model())
    content = read_json(copy / "config.json", "model") | {"trained": {"epochs": 99}}
    write_json(copy / "config.json", content)
    decompress_sound(CodingModel.load(copy, "copy"), coded, tmp_path / "a.wav")


def test_other_arithmetic_is_rejected_before_any_work(coding: CodingModel, coded: Path) -> None:
    other = CodingModel(coding.model, coding.name, coding.hash, "0" * 64)
    assert "computes differently" in refusal(other, coded)


def test_a_model_is_asked_for_where_one_compressed(coding: CodingModel, coded: Path) -> None:
    message = refusal(None, coded)
    assert f"compressed with the model {coding.hash[:12]}, then named first; name the former" in message


def test_without_a_model_there_is_arithmetic_too(
    coding: CodingModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress_sound(None, write_sound(tmp_path / "a.wav", tone(100)), tmp_path / "a.wcz")
    monkeypatch.setattr(codec, "adaptive_arithmetic", lambda: "0" * 64)
    assert "computes differently" in refusal(coding, tmp_path / "a.wcz")
