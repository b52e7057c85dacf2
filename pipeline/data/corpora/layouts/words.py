"""Spoken digits and commands: a short recording for each word."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.types import Split
from pipeline.data.corpora.layouts.layout import SUFFIX, Layout, Listed

SPEECH_COMMANDS_LISTS: Mapping[str, Split] = {"validation_list.txt": "valid", "testing_list.txt": "test"}


def _speech_commands(root: Path) -> Mapping[str, Listed]:
    """Read the two lists; each line is WORD/SPEAKER_nohash_0.wav, and the rest trains."""
    listed: dict[str, Listed] = {}
    for name, split in SPEECH_COMMANDS_LISTS.items():
        if (root / name).is_file():
            lines = (root / name).read_text(encoding="utf-8", errors="replace").split()
            listed |= dict.fromkeys(lines, Listed(None, split))
    return listed


SPEECH_COMMANDS = Layout(
    "Speech Commands",
    # yes/0a7c2a8d_nohash_0.wav, _background_noise_/pink_noise.wav
    (
        r"\w+/(?P<speaker>[0-9a-f]{6,8})_nohash_\d+" + SUFFIX,
        r"_background_noise_/[^/]+" + SUFFIX,
    ),
    lists=_speech_commands,
    rest="train",
)
FREE_SPOKEN_DIGIT = Layout(
    "Free Spoken Digit",
    # recordings/7_jackson_32.wav; takes 0 to 4 of every speaker are its test set
    (r"(?:recordings/)?\d_(?P<speaker>[a-z]+)_(?P<split>\d+)" + SUFFIX,),
    {str(take): "test" if take < 5 else "train" for take in range(50)},
    on_request="every speaker stands in both",
)
AUDIO_MNIST = Layout(
    "AudioMNIST",
    # data/01/0_01_0.wav
    (r"(?:data/)?(?P<speaker>\d{2})/\d_(?P=speaker)_\d+" + SUFFIX,),
)
