"""Kaldi's data folders give recordings, segments and speakers, and start no process."""

from pathlib import Path

from tests.helpers.manifests import facts, read, reasons, times


def data_folder(corpus: Path, name: str = "data/train", **files: str) -> Path:
    folder = corpus / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file.replace("wav_scp", "wav.scp")).write_text(text)
    return folder


def test_recordings_and_speakers(corpus: Path) -> None:
    folder = data_folder(corpus, wav_scp="u1 wavs/a.wav\nu2\twavs/b.flac\n", utt2spk="u1 anna\nu2 u2\n")
    assert facts(read(folder)) == [("a.wav", "anna", None), ("b.flac", None, None)]
    assert read(folder / "wav.scp") == read(folder)


def test_spk2utt_serves_where_utt2spk_is_missing(corpus: Path) -> None:
    folder = data_folder(corpus, wav_scp="u1 wavs/a.wav\nu2 wavs/b.flac\n", spk2utt="anna u1 u2\n")
    assert [group for _, group, _ in facts(read(folder))] == ["anna", "anna"]


def test_segments_are_recordings_of_their_own(corpus: Path) -> None:
    segments = "s1 u1 0.00 0.75\ns2 u1 0.75 -1\n"
    folder = data_folder(corpus, wav_scp="u1 wavs/a.wav\n", segments=segments, utt2spk="s1 x\ns2 y\n")
    assert times(read(folder)) == [("a.wav", 0, 0.75), ("a.wav", 0.75, None)]
    assert [source.label.rpartition("#")[2] for source in read(folder)] == ["s1", "s2"]
    assert [source.group for source in read(folder)] == ["x", "y"]


def test_segments_without_speakers_stay_with_their_file(corpus: Path) -> None:
    """Else parts of one recording, and so of one speaker, would be in training and test."""
    folder = data_folder(corpus, wav_scp="u1 wavs/a.wav\n", segments="s1 u1 0 0.7\ns2 u1 0.7 1\n")
    assert len({source.group for source in read(folder)}) == 1
    assert read(folder)[0].group is not None


def test_a_command_is_never_run(corpus: Path) -> None:
    ran = corpus / "ran"
    folder = data_folder(
        corpus, wav_scp=f"u1 touch {ran} |\nu2 | touch {ran}\nu3 $(touch {ran})\nu4 x.ark:42\nu5 wavs/a.wav\n"
    )
    sources = read(folder)
    assert not ran.exists()
    assert facts(sources) == [("a.wav", None, None)] or len(facts(sources)) == 2
    assert sum("a command, which is never run" in reason for reason in reasons(sources)) == 2
    assert any("archive of Kaldi" in reason for reason in reasons(sources))


def test_splits_are_those_of_the_folders(corpus: Path) -> None:
    data_folder(corpus, "data/train_clean", wav_scp="u1 wavs/a.wav\n")
    data_folder(corpus, "data/dev_clean", wav_scp="u2 wavs/b.flac\n")
    assert sorted(facts(read(corpus / "data"))) == [("a.wav", None, "train"), ("b.flac", None, "valid")]


def test_bad_lines_reject_themselves_alone(corpus: Path) -> None:
    segments = "bad\ns1 u9 0 1\ns2 u1 1 1\ns3 u1 -1 1\ns4 u1 x 1\ns5 u1 0 1\ns6 u1 0 nan\n"
    folder = data_folder(corpus, wav_scp="u1 wavs/a.wav\n", segments=segments)
    assert times(read(folder)) == [("a.wav", 0, 1)]
    assert len(reasons(read(folder))) == 6
