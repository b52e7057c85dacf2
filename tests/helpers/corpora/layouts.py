"""Small corpora of speech laid out as published ones are, each with the groups and splits to be found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from tests.helpers.builders import write_sound

Expected = Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Laid:
    """A corpus.

    Attributes:
        name: what it must be recognised as.
        files: group and published split by path.
        texts: side files by path.
    """

    name: str
    files: Expected
    texts: Mapping[str, str] = field(default_factory=dict)

    def make(self, root: Path) -> Path:
        """Write all files below ``root``, every recording with the same sound; returns ``root``."""
        sound = write_sound(root.parent / ".sound.wav", np.arange(-400, 400, dtype=np.int16))
        for name in self.files:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(sound)
        for name, text in self.texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root


USUAL = {"train": "train", "dev": "valid", "test": "test"}


def _librispeech() -> Expected:
    subsets = (
        ("train-clean-100", "train"),
        ("train-other-500", "train"),
        ("dev-clean", "valid"),
        ("test-other", "test"),
    )
    return {
        f"{subset}/{10 * number + reader}/{chapter}/{10 * number + reader}-{chapter}-{index:04}.flac": (
            str(10 * number + reader),
            split,
        )
        for number, (subset, split) in enumerate(subsets, 1)
        for reader, chapter, index in product(range(3), (128, 129), range(2))
    }


def parts(pattern: str, speaker: str, splits: Mapping[str, str | None], count: int = 3) -> Expected:
    """Files of a pattern with {part}, {speaker} and {index}, other speakers in each part."""
    return {
        pattern.format(part=part, speaker=(name := speaker.format(4 * place + number)), index=index): (
            name,
            split,
        )
        for place, (part, split) in enumerate(splits.items())
        for number, index in product(range(1, count + 1), range(1, 3))
    }


NO_PARTS: Mapping[str, str | None] = {"": None}
SPEECH_COMMANDS_WORDS = ("yes", "no", "happy")
HASHES = {"0a7c2a8d": "train", "1b8d3c9e": "valid", "2c9e4daf": "test", "ffd2ba2f": "train"}


def _speech_commands() -> Laid:
    files: dict[str, tuple[str | None, str | None]] = {
        f"{word}/{speaker}_nohash_0.wav": (speaker, split)
        for word, (speaker, split) in product(SPEECH_COMMANDS_WORDS, HASHES.items())
    }
    lists = {
        f"{name}_list.txt": "\n".join(path for path, (_, at) in files.items() if at == split)
        for name, split in (("validation", "valid"), ("testing", "test"))
    }
    files["_background_noise_/pink_noise.wav"] = (None, "train")
    return Laid("Speech Commands", files, lists)


def _iden_split() -> Laid:
    files: dict[str, tuple[str | None, str | None]] = {}
    lines = []
    for speaker, (number, split) in product((1, 2), enumerate(("train", "valid", "test"), 1)):
        name = f"id1000{speaker}/video{number}/00001.wav"
        files[f"wav/{name}"] = (f"id1000{speaker}", split)
        lines.append(f"{number} {name}")
    return Laid("VoxCeleb", files, {"iden_split.txt": "\n".join(lines)})


def speech() -> Iterator[Laid]:
    """Yield corpora of speech and words of many speakers."""
    yield Laid(
        "LibriSpeech", _librispeech(), {"SPEAKERS.TXT": "id", "train-clean-100/10/128/10-128.trans.txt": "x"}
    )
    libritts = {part: USUAL[part.split("-")[0]] for part in ("train-clean-100", "dev-clean", "test-clean")}
    yield Laid("LibriTTS", parts("{part}/{speaker}/99/{speaker}_99_000007_00000{index}.wav", "{}", libritts))
    yield Laid(
        "Multilingual LibriSpeech",
        parts("{part}/audio/{speaker}/51/{speaker}_51_00000{index}.flac", "{}", USUAL),
    )
    vctk = parts("wav48_silence_trimmed/{speaker}/{speaker}_00{index}_mic1.flac", "p22{}", NO_PARTS)
    both = {**vctk, **{path.replace("mic1", "mic2"): found for path, found in vctk.items()}}
    yield Laid("VCTK", both, {"txt/p221/p221_001.txt": "Please call.", "speaker-info.txt": "ID  AGE"})
    yield Laid("VCTK", parts("wav48/{speaker}/{speaker}_00{index}.wav", "p22{}", NO_PARTS), {"README": "x"})
    demand = {"clean_trainset_28spk_wav": None, "noisy_testset_wav": "test"}
    yield Laid("VoiceBank-DEMAND", parts("{part}/{speaker}_00{index}.wav", "p22{}", demand))
    yield _speech_commands()
    yield Laid(
        "Free Spoken Digit",
        {
            f"recordings/{digit}_{who}_{take}.wav": (who, None)
            for digit, who, take in product(range(3), ("jackson", "theo", "lucas"), (0, 4, 5, 12))
        },
    )
    yield Laid(
        "AudioMNIST",
        parts("data/{speaker}/7_{speaker}_{index}.wav", "0{}", NO_PARTS),
        {"data/audioMNIST_meta.txt": "{}"},
    )
    yield Laid(
        "TIMIT",
        {
            f"{part}/DR{region}/{speaker}/{sentence}.WAV": (speaker, "test" if part == "TEST" else None)
            for part, region, speakers in (
                ("TRAIN", 1, ("FCJF0", "MCPM0", "FDAW0")),
                ("TEST", 2, ("FAKS0", "MDAB0")),
            )
            for speaker, sentence in product(speakers, ("SA1", "SI1027", "SX37"))
        },
        {"TRAIN/DR1/FCJF0/SA1.PHN": "0 9640 h#", "TRAIN/DR1/FCJF0/SA1.TXT": "0 46797 She"},
    )
    wsj = {"11-1.1/wsj0/si_tr_s": "train", "11-6.1/wsj0/si_dt_05": "valid", "11-14.1/wsj0/si_et_05": "test"}
    yield Laid(
        "WSJ",
        {
            path: ((group or "").upper(), split)
            for path, (group, split) in parts(
                "{part}/{speaker}/{speaker}c020{index}.wv1", "{:02}a", wsj
            ).items()
        },
    )
    yield Laid(
        "TED-LIUM",
        parts("{part}/sph/{speaker}_2010X.sph", "Speaker{}", USUAL),
        {"train/stm/Speaker1_2010X.stm": "x"},
    )
    voxceleb = {"vox1_dev_wav": None, "vox1_test_wav": "test"}
    yield Laid("VoxCeleb", parts("{part}/wav/{speaker}/1zcIwhmdeo4/0000{index}.wav", "id1000{}", voxceleb))
    yield Laid("VoxCeleb", parts("aac/{speaker}/1zcIwhmdeo4/0000{index}.m4a", "id1000{}", NO_PARTS))
    yield _iden_split()
    yield Laid(
        "AISHELL",
        {
            path: (group, split)
            for path, (group, split) in parts(
                "data_aishell/wav/{part}/{speaker}/BAC009{speaker}W012{index}.wav", "S{:04}", USUAL
            ).items()
        },
        {"data_aishell/transcript/aishell_transcript_v0.8.txt": "x"},
    )
    yield Laid("AISHELL-3", parts("train/wav/{speaker}/{speaker}000{index}.wav", "SSB000{}", NO_PARTS))
    yield Laid("THCHS-30", parts("{part}/{speaker}_{index}.wav", "A{}", USUAL), {"train/A1_1.wav.trn": "x"})
