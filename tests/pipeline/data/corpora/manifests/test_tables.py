"""Tables and lists of any usual form name recordings; other texts are no manifests."""

from pathlib import Path

import pytest

from pipeline.data.corpora.manifests import read_manifest
from pipeline.errors import UserError
from tests.helpers.manifests import facts, read, reasons, times


def written(corpus: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = corpus / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize(
    "header",
    ["path,speaker,split", "audio_filepath,spk_id,subset", "File Name,client_id,Split", "wav,spk,set"],
)
def test_usual_names_of_columns_and_splits(corpus: Path, separator: str, header: str) -> None:
    rows = f"{header}\nwavs/a.wav,sp4 ,training\nwavs/b.flac,sp4,train-clean-100\nwavs/c.wav,5,dev\n"
    table = written(corpus, rows.replace(",", separator))
    expected = [("a.wav", "sp4", "train"), ("b.flac", "sp4", "train"), ("c.wav", "5", "valid")]
    assert facts(read(table)) == expected


def test_a_duration_alone_is_a_fact_and_with_a_start_a_segment(corpus: Path) -> None:
    assert times(read(written(corpus, "path,duration\nwavs/a.wav,2.0\n"))) == [("a.wav", 0, None)]
    both = written(corpus, "path,start,duration\nwavs/a.wav,0.5,1\nwavs/a.wav,1.5,0.25\n")
    assert times(read(both)) == [("a.wav", 0.5, 1), ("a.wav", 1.5, 0.25)]
    assert times(read(written(corpus, "path,start,end\nwavs/a.wav,0.5,1\n"))) == [("a.wav", 0.5, 0.5)]


def test_speechbrain_counts_samples(corpus: Path) -> None:
    table = written(corpus, "ID,duration,wav,start,stop,spk_id\nx,1,$root/wavs/a.wav,4000,12000,s1\n")
    assert times(read(table)) == [("a.wav", 0.5, 1.0)]


def test_excel_writes_utf_16(corpus: Path) -> None:
    table = written(corpus, "path\tspeaker\nwavs/a.wav\tÅsa\n", encoding="utf-16")
    assert facts(read(table)) == [("a.wav", "Åsa", None)]


def test_speakers_are_one_in_either_unicode_form(corpus: Path) -> None:
    table = written(corpus, "path,speaker\nwavs/a.wav,\u00c5sa\nwavs/b.flac,A\u030asa\n")
    assert len({source.group for source in read(table)}) == 1


def test_the_users_column_is_the_group(corpus: Path) -> None:
    table = written(corpus, "path,speaker,room\nwavs/a.wav,x,kitchen\n")
    assert facts(read(table, "room")) == [("a.wav", "kitchen", None)]
    with pytest.raises(UserError, match="no column 'city'; the first line names: path, speaker, room"):
        read(table, "city")


def test_tables_without_names_are_manifests_where_their_files_are_there(corpus: Path) -> None:
    coqui = written(
        corpus,
        "wavs/a.wav|hello you|s1\nwavs/b.flac|and you|s1\nwavs/c.wav|x|s2\nwavs/d.wav|x|s2\n",
        "train.txt",
    )
    assert facts(read(coqui))[:2] == [("a.wav", "s1", None), ("b.flac", "s1", None)]
    ljspeech = written(corpus, 'a|he said "no|he said no\nb|"yes"|yes\n', "metadata.csv")
    assert facts(read(ljspeech)) == [("a.wav", None, None), ("b.flac", None, None)]
    assert read_manifest(written(corpus, "x1|some text|some text\n", "other.csv")) is None
    playlist = written(corpus, "#EXTM3U\n#EXTINF:2,a\nwavs/a.wav\n", "list.m3u")
    assert facts(read(playlist)) == [("a.wav", None, None)]


def test_other_texts_are_no_manifests(corpus: Path) -> None:
    assert read_manifest(written(corpus, "Read me first, then go.\n", "README.txt")) is None
    assert read_manifest(written(corpus, "name,age\nx,3\n", "speakers.csv")) is None
    assert read_manifest(corpus / "wavs/a.wav") is None


def test_one_table_of_its_kind_gives_no_split_and_two_do(corpus: Path) -> None:
    test = written(corpus, "path\nwavs/a.wav\n", "test.csv")
    assert facts(read(test)) == [("a.wav", None, None)]
    written(corpus, "path\nwavs/b.flac\n", "train.csv")
    assert facts(read(test)) == [("a.wav", None, "test")]


def test_bad_rows_reject_themselves_alone(corpus: Path) -> None:
    table = written(
        corpus,
        "path,speaker,split,start,duration\nwavs/a.wav,x,train,0,1\n,x,train,,\nwavs/b.flac,x,fold,,\n"
        "wavs/b.flac,x,train,1,0\nwavs/b.flac,x,train,1e999,1\n\0,x,train\n" + "y" * 5000 + ",x,train,,\n",
    )
    assert times(read(table)) == [("a.wav", 0, 1)]
    assert len(reasons(read(table))) == 6
    assert all("line" in reason for reason in reasons(read(table)))
