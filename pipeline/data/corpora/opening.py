"""Opening of the sound of a source, wherever it lies and whatever part of a file it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.audio.decode import Decoding, open_decoding
from pipeline.common.places import local_copy
from pipeline.data.corpora.source import Source


@contextmanager
def open_source(source: Source) -> Iterator[Decoding]:
    """Open the recording that ``source`` names.

    Raises:
        RecordingRejected: it cannot be used.
    """
    with local_copy(source.path) as path, open_decoding(path) as recording:
        yield recording
