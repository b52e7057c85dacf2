"""Side files of a corpus: texts, tables, pictures and archives that lie beside the recordings.

They are recognised by their names and first bytes, and no process is started. A file with the suffix or the
first bytes of audio or music always counts as a recording, so a damaged one is rejected by its reader with a
reason. A file of neither kind, which may be a recording that nobody named, counts as one, too.
"""

import codecs
from pathlib import Path

HEAD_BYTES = 512

_OF_RECORDINGS = """
.wav .wave .flac .mp3 .mp2 .mpga .ogg .oga .ogv .opus .spx .m4a .m4b .mp4 .m4v .mov .aac .ac3 .eac3 .dts
.alac .wma .wmv .asf .aif .aiff .aifc .au .snd .sph .nist .nis .wv .wv1 .wv2 .w64 .rf64 .bwf .caf .amr
.awb .ape .tta .tak .mpc .dsf .dff .webm .mka .mkv .avi .flv .3gp .voc .raw .pcm .sd2 .iff .8svx .svx
.htk .paf .avr .mid .midi .kar .rmi .mat .npz
"""
_OF_SIDE_FILES = """
.md .rst .pdf .doc .docx .odt .rtf .xls .xlsx .ods .ppt .pptx .htm .html .css .js .py .pyc .ipynb .sh
.pl .m .json .jsonl .yaml .yml .toml .ini .cfg .xml .csv .tsv .textgrid .lab .phn .phones .wrd .words
.stm .ctm .trn .trans .lrc .srt .vtt .eaf .tg .mlf .dic .lex .scp .ark .pitch .f0 .pm .ema .lar .egg
.npy .pt .pth .pkl .pickle .h5 .hdf5 .parquet .arrow .feather .lmdb .mdb .db .sqlite .tfrecord .zip .tar
.gz .tgz .bz2 .xz .zst .7z .rar .iso .md5 .sha1 .sha256 .sig .asc .jpg .jpeg .png .gif .bmp .tif .tiff
.svg .webp .ico .torrent .bib .log .lock .part .crdownload
"""
RECORDING_SUFFIXES = frozenset(_OF_RECORDINGS.split())
SIDE_SUFFIXES = frozenset(_OF_SIDE_FILES.split())
SIDE_NAMES = (
    *("readme", "license", "licence", "copying", "changelog", "citation", "makefile"),
    *("thumbs.db", "desktop.ini"),
)
AUDIO_HEADS = (
    *(
        b"RIFF",
        b"RIFX",
        b"RF64",
        b"FORM",
        b"riff",
        b"caff",
        b".snd",
        b"NIST_1A",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"MThd",
    ),
    *(
        b"wvpk",
        b"MAC ",
        b"TTA1",
        b"tBaK",
        b"MPCK",
        b"MP+",
        b"#!AMR",
        b"DSD ",
        b"FRM8",
        b"Creative Voice File",
    ),
    *(
        b"\x1a\x45\xdf\xa3",
        b"\x30\x26\xb2\x75",
        b"\xff\xfb",
        b"\xff\xfa",
        b"\xff\xf3",
        b"\xff\xf2",
        b"\xff\xf1",
        b"\xff\xf9",
    ),
    *(b"\x0b\x77", b"MATLAB 5.0"),
)
SIDE_HEADS = (
    *(
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ",
        b"7z\xbc\xaf",
        b"Rar!",
        b"\x28\xb5\x2f\xfd",
        b"\x89PNG",
    ),
    *(
        b"\xff\xd8\xff",
        b"GIF8",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"%PDF",
        b"{\\rtf",
        b"\xd0\xcf\x11\xe0",
        b"PAR1",
        b"ARROW1",
    ),
    *(
        b"\x89HDF",
        b"\x93NUMPY",
        b"SQLite format 3",
        b"\x7fELF",
        b"MZ",
        b"\0\0\1\0",
        b"\x80\x02",
        b"\x80\x03",
        b"\x80\x04",
    ),
)
TEXT_ORDERS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CONTROL = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1a\x1b")


def is_side_file(path: Path) -> bool:
    """Return whether a file in a folder of recordings is no recording and was never meant as one."""
    suffix = path.suffix.lower()
    if suffix in RECORDING_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return suffix in SIDE_SUFFIXES
    if head.startswith(AUDIO_HEADS) or head[4:8] == b"ftyp":
        return False
    named = suffix in SIDE_SUFFIXES or path.name.lower().startswith(SIDE_NAMES)
    return named or not head or head.startswith(SIDE_HEADS) or is_text(head)


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file are of a text, in Unicode or in a code page of 8 bits."""
    if head.startswith(TEXT_ORDERS):
        return True
    return not CONTROL.intersection(head)
