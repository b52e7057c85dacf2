"""The table of public sets: complete, consistent, and honest about what is not known."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from pipeline.data.public.table import PublicSet, all_sets, find_set, read_table
from pipeline.errors import UserError

ENTRY = """
sets:
  one:
    title: One
    kind: speech
    addresses: [https://example.org/one.tar.gz]
    bytes: 10
    licence: CC0
    homepage: https://example.org
    citation: Someone, 2020.
    facts: Somewhere.
"""


USUAL = (
    *(f"librispeech-{part}" for part in ("dev-clean", "test-other", "train-clean-100", "train-other-500")),
    *("libritts-dev-clean", "ljspeech", "vctk", "speech-commands", "free-spoken-digit", "audiomnist"),
    *("jsb", "nottingham", "musedata", "piano-midi", "esc-50"),
)


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_sets_are_there(name: str) -> None:
    assert find_set(name).name == name


@pytest.mark.parametrize("public", all_sets().values(), ids=lambda public: public.name)
def test_a_set_that_cannot_be_checked_comes_over_https_alone(public: PublicSet) -> None:
    secure = all(urlsplit(address).scheme == "https" for address in public.addresses)
    assert public.sha256 or secure
    assert len({Path(urlsplit(address).path).name for address in public.addresses}) == 1
    assert public.is_archive or public.kind == "music"


def test_no_two_sets_have_the_same_file_or_hash() -> None:
    sets = all_sets().values()
    for values in ([s.sha256 for s in sets if s.sha256], [a for s in sets for a in s.addresses]):
        assert len(values) == len(set(values))


def test_a_name_is_found_as_people_write_it() -> None:
    assert find_set("LibriSpeech dev_clean").name == "librispeech-dev-clean"


def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    with pytest.raises(UserError, match=r"similar names:.*ljspeech") as raised:
        find_set("lj-speech")
    assert raised.value.exit_code == 2
    with pytest.raises(UserError, match=re.escape("`wavecast data list`")):
        find_set("xyz")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bytes: 10", "sha256: 12ab"),
        ("bytes: 10", "hours: 1"),
        ("bytes: 10", "bytes: -1"),
        ("https://example.org/one", "ftp://example.org/one"),
        ("licence: CC0", "license: CC0"),
        ("  one:", "  ../one:"),
    ],
)
def test_a_malformed_entry_is_rejected(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "sets.yaml"
    path.write_text(ENTRY)
    assert read_table(path)["one"].bytes == 10
    path.write_text(ENTRY.replace(before, after))
    with pytest.raises(ValidationError):
        read_table(path)
