"""Files, folders and patterns name recordings; their results have places of their own."""

from pathlib import Path

import pytest

from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths
from pipeline.errors import RecordingRejected, UserError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("a/1.wav", "a/2.flac", "b/1.wav", "b/README.md", ".hidden", "odd[1].wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, paths: list[Path]) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


def test_what_is_named_is_found_once_and_in_order(corpus: Path) -> None:
    assert names(corpus, find_sounds([str(corpus)])) == ["odd[1].wav", "a/1.wav", "a/2.flac", "b/1.wav"]
    assert names(corpus, find_sounds([str(corpus / "*" / "*.wav")])) == ["a/1.wav", "b/1.wav"]
    named = [str(corpus / "b" / "1.wav"), str(corpus / "b"), str(corpus / "**" / "2.flac")]
    assert names(corpus, find_sounds(named)) == ["b/1.wav", "a/2.flac"]
    assert names(corpus, find_sounds([str(corpus / "odd[1].wav")])) == ["odd[1].wav"]
    assert find_sounds([str(corpus / "a" / "1.wav#chorale")]) == [corpus / "a" / "1.wav#chorale"]


@pytest.mark.parametrize("name", ["none.wav", "*.mp3", "none/*"])
def test_what_is_missing_is_named(corpus: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"none|mp3"):
        find_sounds([str(corpus / name)])


def test_one_file_has_one_result_and_all_else_a_folder(corpus: Path) -> None:
    file, folder, pattern = (str(corpus / name) for name in ("a/1.wav", "b", "a/1*"))
    assert not is_many([file], find_sounds([file]))
    for named in ([folder], [pattern], [file, folder]):
        assert is_many(named, find_sounds(named))


def test_results_keep_the_names_and_folders_of_the_sounds(corpus: Path) -> None:
    sounds = find_sounds([str(corpus / "a"), str(corpus / "b")])
    places = output_paths(sounds, Path("out"), ".csv", many=True, overwrite=False)
    assert [str(place) for place in places] == ["out/a/1.csv", "out/a/2.csv", "out/b/1.csv"]
    assert output_paths(sounds[:1], Path("x.csv"), ".csv", many=False, overwrite=False) == [Path("x.csv")]


def test_no_result_replaces_a_file_or_another_result(corpus: Path) -> None:
    for name in ("1.flac", "1.wav.aiff"):
        (corpus / "a" / name).touch()
    sounds = find_sounds([str(corpus / "a")])
    with pytest.raises(UserError, match="both"):
        output_paths(sounds, corpus / "out", ".csv", many=True, overwrite=True)
    with pytest.raises(UserError, match="overwrite"):
        output_paths(sounds[:1], corpus / "odd[1].wav", ".wav", many=False, overwrite=False)
    output_paths(sounds[:1], corpus / "odd[1].wav", ".wav", many=False, overwrite=True)


def test_sounds_of_one_name_keep_their_suffixes(corpus: Path) -> None:
    (corpus / "a" / "1.flac").touch()
    places = output_paths(find_sounds([str(corpus / "a")]), Path("out"), ".csv", many=True, overwrite=False)
    assert [str(place) for place in places] == ["out/1.flac.csv", "out/1.wav.csv", "out/2.csv"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_no_result_replaces_a_sound(corpus: Path, overwrite: bool) -> None:
    sounds = find_sounds([str(corpus / "a")])
    (corpus / "link.csv").hardlink_to(sounds[0])
    with pytest.raises(UserError, match=r"1\.wav"):
        output_paths(sounds, corpus / "a", ".wav", many=True, overwrite=overwrite)
    with pytest.raises(UserError, match=r"link\.csv"):
        output_paths(sounds[:1], corpus / "link.csv", ".csv", many=False, overwrite=overwrite)


def test_one_bad_recording_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    def work(sound: Path) -> str:
        if sound.name == "bad":
            raise RecordingRejected("damaged", "no good")
        return sound.name

    refused: list[Path] = []
    done = list(each_sound([Path("a"), Path("bad"), Path("c")], work, refused))
    assert done == [(Path("a"), "a"), (Path("c"), "c")]
    assert refused == [Path("bad")]
    assert capsys.readouterr().err == "wavecast: bad: no good\n"


@pytest.mark.parametrize("fault", [UserError("out: full"), OSError(28, "full", "out")])
def test_a_result_that_cannot_be_written_stops_nothing_else(
    capsys: pytest.CaptureFixture[str], fault: Exception
) -> None:
    def work(sound: Path) -> str:
        if sound.name == "bad\n":
            raise fault
        return sound.name

    refused: list[Path] = []
    assert len(list(each_sound([Path("bad\n"), Path("c")], work, refused))) == len(refused) == 1
    assert capsys.readouterr().err == "wavecast: bad\\n: out: full\n"
    with pytest.raises(type(fault)):
        list(each_sound([Path("bad\n")], work, refused))


def test_a_wrong_argument_stops_at_the_first_sound() -> None:
    def work(sound: Path) -> str:
        raise UserError("seconds=-1: give more than 0", 2)

    with pytest.raises(UserError):
        list(each_sound([Path("a"), Path("b")], work, []))
