"""One source to rows: its bytes are hashed, its sound is decoded and converted."""

import errno
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from pipeline.audio.decode import DecodedFacts
from pipeline.audio.pcm import SAMPLE_BITS, unused_bits
from pipeline.common.blocks import read_blocks
from pipeline.data.corpora.opening import fetched, open_source
from pipeline.data.corpora.source import Source
from pipeline.data.manifest import content_hash
from pipeline.errors import RecordingRejected
from pipeline.features.representation import SoundRepresentation

MEMORY_BYTES = 32 << 20
"""A recording's rows stay in memory up to this size until they are written."""

NO_SPACE = errno.ENOSPC, errno.EDQUOT


@dataclass(frozen=True)
class Converted:
    """What was made of one source.

    Attributes:
        content_hash: SHA-256 of the file's bytes.
        key: what the recording is stored under.
        audio_hash: SHA-256 of its samples; empty where it was not converted, since the store has it.
        rows: its rows, to be read once and closed; None where it was not converted.
        facts: for the manifest.
    """

    content_hash: str
    key: str
    audio_hash: str = ""
    rows: IO[bytes] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def convert(
    source: Source,
    sound: SoundRepresentation,
    is_stored: Callable[[str], bool],
    known_hash: str | None = None,
) -> Converted:
    """Hash a source, and convert it unless it is stored already.

    Args:
        source: the recording.
        sound: what its rows are.
        is_stored: whether a content key has its rows already.
        known_hash: the hash of the file's bytes, where it was computed before.

    Raises:
        RecordingRejected: it cannot be used.
        OSError: there is no space left for its rows.
    """
    try:
        if known_hash and is_stored(source.key(known_hash)):
            return Converted(known_hash, source.key(known_hash))
        with fetched(source) as local:
            found = known_hash or content_hash(local.here)
            key = source.key(found)
            return Converted(found, key) if is_stored(key) else _decoded(local, sound, found)
    except OSError as problem:
        if problem.errno in NO_SPACE:
            raise
        raise RecordingRejected("unreadable", f"cannot be read ({problem.strerror or problem})") from None


def _decoded(source: Source, sound: SoundRepresentation, found: str) -> Converted:
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    digest, combined = hashlib.sha256(), 0
    with open_source(source) as recording:
        for block in recording.blocks(sound.sample_rate):
            digest.update(block.data)
            spool.write(block.data)
            combined |= int(np.bitwise_or.reduce(block))
    rows = spool if sound.rows_are_samples else _rows(spool, sound)
    facts = _plain_facts(recording.facts, sound.sample_rate)
    facts["unused_bits"] = unused_bits(combined, SAMPLE_BITS)
    return Converted(found, source.key(found), digest.hexdigest(), rows, facts)


def _rows(samples: IO[bytes], sound: SoundRepresentation) -> IO[bytes]:
    blocks = (block[:, 0] for block in read_blocks(samples, 1, np.dtype("int16")))
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    for rows in sound.rows_of_blocks(blocks):
        spool.write(np.ascontiguousarray(rows).data)
    samples.close()
    return spool


def _plain_facts(facts: DecodedFacts, sample_rate: int) -> dict[str, Any]:
    info = facts.info
    return {
        "sample_rate": info.sample_rate,
        "channels": info.channels,
        "frames": info.frames,
        "container": info.container,
        "encoding": info.encoding,
        "samples": facts.samples,
        "seconds": facts.samples / sample_rate,
        "peak": facts.peak,
        "notes": list(facts.notes),
    }
