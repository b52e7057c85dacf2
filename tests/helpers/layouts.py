"""Small corpora laid out as published ones are, each with the groups and splits that must be found in it."""

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


def _parts(pattern: str, speaker: str, splits: Mapping[str, str | None], count: int = 3) -> Expected:
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


def _maestro() -> Laid:
    rows = ["canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"]
    files: dict[str, tuple[str | None, str | None]] = {}
    for number, split in enumerate(("train", "validation", "test", "train")):
        name = f"{2004 + number}/MIDI-Unprocessed_{number:02}_R1_wav"
        rows.append(f"Bach,Fugue {number},{split},{2004 + number},{name}.midi,{name}.wav,1.0")
        files[f"{name}.wav"] = (f"Bach: Fugue {number}", "valid" if split == "validation" else split)
    return Laid("MAESTRO", files, {"maestro-v3.0.0.csv": "\n".join(rows)})


def _iden_split() -> Laid:
    files: dict[str, tuple[str | None, str | None]] = {}
    lines = []
    for speaker, (number, split) in product((1, 2), enumerate(("train", "valid", "test"), 1)):
        name = f"id1000{speaker}/video{number}/00001.wav"
        files[f"wav/{name}"] = (f"id1000{speaker}", split)
        lines.append(f"{number} {name}")
    return Laid("VoxCeleb", files, {"iden_split.txt": "\n".join(lines)})


def _all() -> Iterator[Laid]:
    yield Laid(
        "LibriSpeech", _librispeech(), {"SPEAKERS.TXT": "id", "train-clean-100/10/128/10-128.trans.txt": "x"}
    )
    libritts = {part: USUAL[part.split("-")[0]] for part in ("train-clean-100", "dev-clean", "test-clean")}
    yield Laid("LibriTTS", _parts("{part}/{speaker}/99/{speaker}_99_000007_00000{index}.wav", "{}", libritts))
    yield Laid(
        "Multilingual LibriSpeech",
        _parts("{part}/audio/{speaker}/51/{speaker}_51_00000{index}.flac", "{}", USUAL),
    )
    vctk = _parts("wav48_silence_trimmed/{speaker}/{speaker}_00{index}_mic1.flac", "p22{}", NO_PARTS)
    both = {**vctk, **{path.replace("mic1", "mic2"): found for path, found in vctk.items()}}
    yield Laid("VCTK", both, {"txt/p221/p221_001.txt": "Please call.", "speaker-info.txt": "ID  AGE"})
    yield Laid("VCTK", _parts("wav48/{speaker}/{speaker}_00{index}.wav", "p22{}", NO_PARTS), {"README": "x"})
    demand = {"clean_trainset_28spk_wav": None, "noisy_testset_wav": "test"}
    yield Laid("VoiceBank-DEMAND", _parts("{part}/{speaker}_00{index}.wav", "p22{}", demand))
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
        _parts("data/{speaker}/7_{speaker}_{index}.wav", "0{}", NO_PARTS),
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
            for path, (group, split) in _parts(
                "{part}/{speaker}/{speaker}c020{index}.wv1", "{:02}a", wsj
            ).items()
        },
    )
    yield Laid(
        "TED-LIUM",
        _parts("{part}/sph/{speaker}_2010X.sph", "Speaker{}", USUAL),
        {"train/stm/Speaker1_2010X.stm": "x"},
    )
    voxceleb = {"vox1_dev_wav": None, "vox1_test_wav": "test"}
    yield Laid("VoxCeleb", _parts("{part}/wav/{speaker}/1zcIwhmdeo4/0000{index}.wav", "id1000{}", voxceleb))
    yield Laid("VoxCeleb", _parts("aac/{speaker}/1zcIwhmdeo4/0000{index}.m4a", "id1000{}", NO_PARTS))
    yield _iden_split()
    yield Laid(
        "AISHELL",
        {
            path: (group, split)
            for path, (group, split) in _parts(
                "data_aishell/wav/{part}/{speaker}/BAC009{speaker}W012{index}.wav", "S{:04}", USUAL
            ).items()
        },
        {"data_aishell/transcript/aishell_transcript_v0.8.txt": "x"},
    )
    yield Laid("AISHELL-3", _parts("train/wav/{speaker}/{speaker}000{index}.wav", "SSB000{}", NO_PARTS))
    yield Laid("THCHS-30", _parts("{part}/{speaker}_{index}.wav", "A{}", USUAL), {"train/A1_1.wav.trn": "x"})
    yield Laid("RAVDESS", _parts("Actor_{speaker}/03-01-05-01-02-0{index}-{speaker}.wav", "0{}", NO_PARTS))
    yield Laid(
        "CREMA-D",
        {
            f"AudioWAV/{who}_{sentence}_{emotion}_XX.wav": (str(who), None)
            for who, sentence, emotion in product(range(1001, 1004), ("DFA", "IEO"), ("ANG", "NEU"))
        },
        {"VideoDemographics.csv": "ActorID,Age"},
    )
    yield Laid(
        "EmoDB",
        {
            f"wav/{who}a0{text}{emotion}a.wav": (who, None)
            for who, text, emotion in product(("03", "08", "16"), "12", "FW")
        },
    )
    yield Laid(
        "ESD",
        {
            f"{who}/{emotion}/{part}/{who}_00035{index}.wav": (who, None)
            for who, emotion, (index, part) in product(
                ("0001", "0002", "0003"), ("Angry", "Sad"), enumerate(("train", "evaluation", "test"))
            )
        },
    )
    yield Laid(
        "CMU ARCTIC",
        {
            f"cmu_us_{who}_arctic/wav/arctic_{half}000{index}.wav": (who, None)
            for who, half, index in product(("bdl", "slt", "clb"), "ab", range(2))
        },
        {"cmu_us_bdl_arctic/etc/txt.done.data": "( arctic_a0001 )", "cmu_us_bdl_arctic/COPYING": "x"},
    )
    yield Laid(
        "L2-ARCTIC",
        {
            f"{who}/wav/arctic_a000{index}.wav": (who, None)
            for who, index in product(("ABA", "BWC", "TXHC"), range(2))
        },
        {"ABA/textgrid/arctic_a0001.TextGrid": "File type", "ABA/transcript/arctic_a0001.txt": "x"},
    )
    yield Laid(
        "M-AILABS",
        {
            **{
                f"de_DE/by_book/{sex}/{who}/{book}/wavs/{book}_0{index}.wav": (who, None)
                for (sex, who), book, index in product(
                    (("female", "ramona"), ("male", "karl"), ("female", "eva")),
                    ("faust", "werther"),
                    range(2),
                )
            },
        },
        {"de_DE/by_book/female/ramona/faust/metadata.csv": "faust_00|x|x"},
    )
    yield Laid(
        "Hi-Fi TTS",
        {
            f"audio/{who}_{kind}/104{book}/doyle_{index}.flac": (who, None)
            for (who, kind), book, index in product(
                (("92", "clean"), ("6097", "clean"), ("6670", "other")), "12", range(2)
            )
        },
        {"92_manifest_clean_dev.json": "{}"},
    )
    yield Laid(
        "JVS",
        {
            f"{who}/{style}/wav24kHz16bit/VOICEACTRESS100_00{index}.wav": (who, None)
            for who, style, index in product(
                ("jvs001", "jvs002", "jvs003"), ("parallel100", "whisper10"), range(2)
            )
        },
        {"jvs001/parallel100/transcripts_utf8.txt": "x"},
    )
    yield Laid(
        "ESC-50",
        {
            f"audio/{fold}-{clip}-{take}-0.wav": (str(clip), None)
            for (fold, clip), take in product(enumerate(range(100032, 100037), 1), "AB")
        },
        {"meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take"},
    )
    yield Laid(
        "UrbanSound8K",
        {
            f"audio/fold{fold}/{clip}-3-0-{index}.wav": (str(clip), None)
            for (fold, clip), index in product(enumerate(range(100032, 100036), 1), range(2))
        },
        {"metadata/UrbanSound8K.csv": "slice_file_name,fsID"},
    )
    yield Laid(
        "MUSDB18",
        {
            f"{part}/{song}/{stem}.wav": (song, "test" if part == "test" else None)
            for part, songs in (("train", ("A - One", "B - Two", "C - Three")), ("test", ("D - Four",)))
            for song, stem in product(songs, ("mixture", "vocals"))
        },
    )
    yield Laid(
        "GTZAN",
        {
            f"genres/{genre}/{genre}.0000{index}.wav": (None, None)
            for genre, index in product(("blues", "rock"), range(8))
        },
    )
    yield _maestro()


PUBLISHED = tuple(_all())

ONE_READER = (
    Laid(
        "LJSpeech",
        {f"wavs/LJ00{chapter}-000{index}.wav": (None, None) for chapter, index in product("12", "123456789")},
        {"metadata.csv": "LJ001-0001|Printing|Printing", "README": "x"},
    ),
    Laid(
        "KSS",
        {f"{book}/{book}_000{index}.wav": (None, None) for book, index in product("1234", range(5))},
        {"transcript.v.1.4.txt": "1/1_0000.wav|x"},
    ),
    Laid(
        "JSUT",
        {f"basic5000/wav/BASIC5000_000{index}.wav": (None, None) for index in range(10)},
        {"basic5000/transcript_utf8.txt": "x"},
    ),
)
