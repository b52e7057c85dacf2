import hashlib
import io
from pathlib import Path

from pipeline.common.hashing import PIECE_BYTES, digest_file, digest_json, digest_stream


def test_digits_of_settings_are_those_of_existing_folders() -> None:
    """These digits name the folders of data sets and runs that users have: they must never change."""
    settings = {"version": 1, "kind": "waveform", "sample_rate": 16000, "levels": [0.5, None, True]}
    expected = "4b488c268f1d6914f0e72f7d2b50a4ce9e385774e6fa4bf7a33f6afe93ddbd34"
    assert digest_json(settings) == expected
    assert digest_json(dict(reversed(settings.items()))) == expected
    assert (
        digest_json({"ä": 1}, followed_by=b"weights") == hashlib.sha256(b'{"\\u00e4": 1}weights').hexdigest()
    )


def test_a_file_has_the_digest_of_its_bytes_however_it_is_read(tmp_path: Path) -> None:
    content = bytes(range(256)) * (2 * PIECE_BYTES // 256 + 3)
    (tmp_path / "file").write_bytes(content)
    assert digest_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    for length in (0, 1, PIECE_BYTES, PIECE_BYTES + 1, len(content), len(content) + 10):
        stream = io.BytesIO(content)
        assert digest_stream(stream, length) == hashlib.sha256(content[:length]).hexdigest()
        assert stream.tell() == min(length, len(content))
