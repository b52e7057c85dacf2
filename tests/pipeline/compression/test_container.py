"""A compressed recording whose checksum is right and whose content is not is rejected in one sentence."""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.compression.codec import CodingModel, adaptive_arithmetic, compress_sound, decompress_sound
from pipeline.compression.container import VERSION, open_coded
from pipeline.errors import RecordingRejected
from tests.fuzz.own_files import joined, parts_of, sealed_coded, values_of
from tests.helpers.builders import tone, write_sound
from tests.helpers.coded_files import compress_in_first_format, integers


@pytest.fixture
def coding(sound_model: Path) -> CodingModel:
    return CodingModel.load(sound_model, "model")


@pytest.fixture
def coded(coding: CodingModel, tmp_path: Path) -> bytes:
    samples = (tone(60).astype(np.int32) << 16) + 256 * np.arange(60, dtype=np.int32)
    source = write_sound(tmp_path / "source.wav", samples, subtype="PCM_24")
    compress_sound(coding, source, tmp_path / "source.wcz")
    return (tmp_path / "source.wcz").read_bytes()


def rejection(coding: CodingModel, content: bytes, folder: Path) -> str:
    (folder / "crafted.wcz").write_bytes(content)
    with pytest.raises(RecordingRejected) as rejected:
        decompress_sound(coding, folder / "crafted.wcz", folder / "crafted.wav")
    assert "\n" not in str(rejected.value)
    assert not (folder / "crafted.wav").exists()
    return str(rejected.value)


def test_the_parts_of_a_file_make_the_same_file_again(
    coding: CodingModel, coded: bytes, tmp_path: Path
) -> None:
    header, blocks = parts_of(coded)
    assert sealed_coded(header, joined(blocks)) == coded
    (tmp_path / "again.wcz").write_bytes(coded)
    decompress_sound(coding, tmp_path / "again.wcz", tmp_path / "again.wav")
    assert (integers(tmp_path / "again.wav") == integers(tmp_path / "source.wav")).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda h: h.update(block_frames=0), "block_frames 0 is out of range"),
        (lambda h: h.update(block_frames=1 << 40), "block_frames"),
        (lambda h: h.update(block_frames=10**1_000), "many digits"),
        (lambda h: h.update(unknown=1), "unknown"),
        (lambda h: h.pop("arithmetic"), "arithmetic"),
        (lambda h: h.update(sound=[]), "sound"),
        (lambda h: h["sound"].update(depth=12), "depth"),
        (lambda h: h["sound"].update(channels=0), "channels"),
        (lambda h: h["sound"].update(frames="60"), "frames"),
        (lambda h: h["sound"].update(frames=1 << 40), "more blocks than the file can hold"),
        (lambda h: h["sound"].update(frames=61), "lower bits are not those of 61 samples"),
        (lambda h: h["sound"].update(checksum="0"), "differ from the original"),
        (lambda h: h["sound"].update(unused_bits=24), "unused_bits 24 is out of range"),
        (lambda h: h["sound"].update(unused_bits=-1), "unused_bits"),
        (lambda h: h["sound"].update(unused_bits=0.5), "unused_bits"),
        (lambda h: h["sound"].pop("unused_bits"), "unused_bits"),
        (lambda h: h["sound"].update(unused_bits=3), "differ from the original"),
        (lambda h: h["sound"].update(unused_bits=20), "lower bits are none"),
        (lambda h: h.update(model="another"), "name the former with --model"),
        (lambda h: h.update(model=""), "computes differently"),
        (lambda h: h.update(model=None), "model"),
    ],
)
def test_a_header_that_promises_the_impossible(
    change: Callable[[dict[str, Any]], object],
    complaint: str,
    coding: CodingModel,
    coded: bytes,
    tmp_path: Path,
) -> None:
    header, blocks = parts_of(coded)
    fields = json.loads(header)
    change(fields)
    assert complaint in rejection(coding, sealed_coded(json.dumps(fields).encode(), joined(blocks)), tmp_path)


def test_a_version_that_never_was_and_one_of_other_fields(
    coding: CodingModel, coded: bytes, tmp_path: Path
) -> None:
    header, blocks = parts_of(coded)
    assert "version 0 is out of range" in rejection(coding, sealed_coded(header, joined(blocks), 0), tmp_path)
    assert "unused_bits" in rejection(coding, sealed_coded(header, joined(blocks), 1), tmp_path)


def test_a_file_of_the_first_format_is_restored(coding: CodingModel, tmp_path: Path) -> None:
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32"):
        source = write_sound(tmp_path / "source.wav", tone(75), subtype=subtype)
        compress_in_first_format(coding, source, tmp_path / "first.wcz")
        with open_coded(tmp_path / "first.wcz") as (header, _):
            assert header.version == 1
            assert header.sound.unused_bits == 0
        decompress_sound(coding, tmp_path / "first.wcz", tmp_path / "again.wav")
        assert (integers(tmp_path / "again.wav") == integers(source)).all()


def test_the_first_format_always_names_a_model(coding: CodingModel, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "source.wav", tone(75))
    compress_in_first_format(coding, source, tmp_path / "first.wcz")
    header, blocks = parts_of((tmp_path / "first.wcz").read_bytes())
    fields = json.loads(header) | {"model": "", "arithmetic": adaptive_arithmetic()}
    crafted = sealed_coded(json.dumps(fields).encode(), joined(blocks), 1)
    assert "names no model" in rejection(coding, crafted, tmp_path)


def test_a_header_that_is_no_json(coding: CodingModel, coded: bytes, tmp_path: Path) -> None:
    blocks = joined(parts_of(coded)[1])
    for header in (b"", b"{", b"\xff", b"null", b"[" * 50_000):
        assert "its header" in rejection(coding, sealed_coded(header, blocks), tmp_path)
    assert "contradict" in rejection(coding, sealed_coded(b" " * (1 << 17), blocks, 1), tmp_path)


def test_a_header_is_unpacked_only_as_far_as_headers_are_long(
    coding: CodingModel, coded: bytes, tmp_path: Path
) -> None:
    header, blocks = parts_of(coded)
    assert "a header's length" in rejection(coding, sealed_coded(bytes(1 << 24), joined(blocks)), tmp_path)
    for packed in (header, zlib.compress(header)[:-1], zlib.compress(header) + b"x"):
        assert "its header" in rejection(coding, unpacked_as(packed, joined(blocks)), tmp_path)


def unpacked_as(header: bytes, blocks: bytes) -> bytes:
    """A file of the second format with any bytes in place of its packed header."""
    body = bytearray(sealed_coded(header, blocks, 1)[:-32])
    struct.pack_into("<I", body, 8, 2)
    return bytes(body) + hashlib.sha256(body).digest()


def test_lower_bits_are_unpacked_only_as_far_as_there_are_samples(
    coding: CodingModel, coded: bytes, tmp_path: Path
) -> None:
    header, [(words, rest)] = parts_of(coded)
    for packed in (zlib.compress(bytes(1 << 28)), zlib.compress(b""), b"", rest[:-1], b"no zlib"):
        crafted = sealed_coded(header, joined([(words, packed)]))
        assert "its lower bits" in rejection(coding, crafted, tmp_path)


def test_blocks_that_do_not_fill_the_file(coding: CodingModel, coded: bytes, tmp_path: Path) -> None:
    header, [(words, rest)] = parts_of(coded)
    for blocks, complaint in (
        (joined([(words, rest)])[:-1], "lengths"),
        (joined([(words, rest)]) + b"x", "1 bytes follow"),
    ):
        assert complaint in rejection(coding, sealed_coded(header, blocks), tmp_path)


def test_a_set_of_integers_that_cannot_be(coding: CodingModel, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "source.wav", tone(3_000) // 100 * 100)
    compress_sound(coding, source, tmp_path / "source.wcz")
    whole = (tmp_path / "source.wcz").read_bytes()
    (header, blocks), values = parts_of(whole), values_of(whole)
    assert sealed_coded(header, joined(blocks), VERSION, values) == whole
    for crafted, complaint in (
        (b"", "values do not fit"),
        (values[:8], "its values: too few bytes"),
        (b"\x09" + values[1:], "its values: a number"),
        (values[:5] + b"\xff" * 4 + values[9:], "its values: a number"),
    ):
        assert complaint in rejection(
            coding, sealed_coded(header, joined(blocks), VERSION, crafted), tmp_path
        )
    for other in (values[:1] + b"\0\0\0\0" + values[5:], values[:5] + b"\x05\0\0\0" + values[9:]):
        assert rejection(coding, sealed_coded(header, joined(blocks), VERSION, other), tmp_path)
    assert "do not fit" in rejection(coding, sealed_coded(header, b"", VERSION, b""), tmp_path)
