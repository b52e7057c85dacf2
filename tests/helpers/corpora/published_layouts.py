"""Small corpora of acted and read speech, sounds and music, and all published layouts together."""

from collections.abc import Iterator
from itertools import product

from tests.helpers.corpora.layouts import NO_PARTS, Laid, parts, speech


def _maestro() -> Laid:
    rows = ["canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"]
    files: dict[str, tuple[str | None, str | None]] = {}
    for number, split in enumerate(("train", "validation", "test", "train")):
        name = f"{2004 + number}/MIDI-Unprocessed_{number:02}_R1_wav"
        rows.append(f"Bach,Fugue {number},{split},{2004 + number},{name}.midi,{name}.wav,1.0")
        files[f"{name}.wav"] = (f"Bach: Fugue {number}", "valid" if split == "validation" else split)
    return Laid("MAESTRO", files, {"maestro-v3.0.0.csv": "\n".join(rows)})


def _others() -> Iterator[Laid]:
    yield Laid("RAVDESS", parts("Actor_{speaker}/03-01-05-01-02-0{index}-{speaker}.wav", "0{}", NO_PARTS))
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


PUBLISHED = (*speech(), *_others())

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
