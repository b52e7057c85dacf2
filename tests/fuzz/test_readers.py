"""Every reader ends with success or with one sentence, whatever file it is given, within time and memory.

Each case is drawn from a fixed seed and its number. `tests.fuzz.fuzzing.survey` states the limits.
"""

from pathlib import Path

import pytest

from tests.fuzz.fuzzing import MEMORY_BYTES, survey
from tests.fuzz.readers import READERS

MANY = 5_000


def check(name: str, folder: Path, count: int) -> None:
    outcome = survey(READERS[name][0](folder), folder, count)
    print(name, outcome)
    assert not outcome.failures
    assert outcome.tried == count
    assert outcome.read
    assert outcome.rejected
    assert outcome.peak_bytes < MEMORY_BYTES


@pytest.mark.parametrize("name", READERS)
def test_a_mutated_file_is_read_or_rejected(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, READERS[name][1])


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_thousands_of_mutated_files_are_read_or_rejected(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, MANY)
