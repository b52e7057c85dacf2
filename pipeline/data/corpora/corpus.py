"""The recordings of a corpus, found by the settings that name it."""

from dataclasses import dataclass

from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.find import find_sources
from pipeline.data.corpora.source import Source


@dataclass(frozen=True)
class Corpus:
    """What was found.

    Attributes:
        sources: what may be recordings, each once, in a fixed order.
        remarks: lines that say what was found, for a person.
    """

    sources: list[Source]
    remarks: tuple[str, ...] = ()


def find_corpus(config: CorpusConfig) -> Corpus:
    """Find the recordings that ``config`` names, their groups and their splits; nothing is decoded.

    Raises:
        UserError: an input is missing, empty or contradicts itself.
    """
    return Corpus(find_sources(config.inputs, config.group, config.folder_level))
