"""Samples in a temporary file are those of memory, in blocks that do not depend on where they lie."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.spooled import BLOCK_SAMPLES, SpooledSamples, blocks_of, in_memory
from pipeline.errors import UserError
from tests.helpers.builders import noise


@pytest.fixture(params=[0, 1, 1_000, 3_000_000])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[np.ndarray, SpooledSamples]:
    """Samples in memory and spooled; three million do not stay in memory."""
    samples = noise(request.param)
    blocks = (samples[start : start + 777_777] for start in range(0, len(samples), 777_777))
    return samples, SpooledSamples.of_blocks(blocks, tmp_path / "not" / "there" / "out.wav")


def test_stretches_of_stretches_are_those_of_an_array(both: tuple[np.ndarray, SpooledSamples]) -> None:
    samples, spooled = both
    for first, last in [(None, None), (3, None), (-5, None), (0, -7), (10, 20), (20, 10), (None, 10**9)]:
        stretch, expected = spooled[first:last], samples[first:last]
        assert len(stretch) == len(expected)
        assert np.array_equal(in_memory(stretch[1:]), expected[1:])


def test_blocks_are_equal_and_writable_wherever_the_samples_lie(
    both: tuple[np.ndarray, SpooledSamples],
) -> None:
    samples, spooled = both
    found, expected = list(blocks_of(spooled, noise(9))), list(blocks_of(samples, noise(9)))
    assert [len(block) for block in found] == [len(block) for block in expected]
    assert all(len(block) == BLOCK_SAMPLES for block in found[:-1])
    assert np.array_equal(np.concatenate(found), np.concatenate([samples, noise(9)]))
    assert all(block.flags.writeable for block in found)


def test_no_file_has_a_name_and_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    spool = SpooledSamples.of_blocks([noise(3_000_000)], tmp_path / "out.wav")
    assert len(spool) == 3_000_000
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=f"cannot be stored beside the output.*{os.strerror(errno.ENOSPC)}"):
        SpooledSamples(open("/dev/full", "r+b", buffering=0)).append(noise(10))  # noqa: PTH123, SIM115
