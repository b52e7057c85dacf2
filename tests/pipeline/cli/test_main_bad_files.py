"""Every command on files that are damaged or odd: one line for each fault, no partial results."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.audio.decode import probe
from pipeline.errors import RecordingRejected
from tests.helpers.builders import tone, write_sound
from tests.helpers.cli import Run
from tests.helpers.commands import SUFFIXES, arguments, hidden, message, read

CORPUS = ["--set", "input.sample_rate=8000", "--set", "corpus.group=recording"]
# A few of each kind: damaged, empty, absurd headers, not sound at all, and odd but sound.
SAMPLE = [
    *("broken/truncated_half.flac", "broken/channels_65535.wav", "broken/header_only_44.wav"),
    *("broken/page_crc_error.ogg", "broken/data_size_zero.wav", "broken/trailing_garbage.wav"),
    *("content/float_one_nan.wav", "content/float_inf.wav", "content/float_1e300_double.wav"),
    *("content/float_denormals.wav", "content/all_zeros.wav", "content/square_fs.wav"),
    *("misnamed/html_error.wav", "misnamed/git_lfs_pointer.wav", "misnamed/wav_inside.txt"),
]


def nasty_files(formats: Path) -> list[Path]:
    """All recordings of the folder that lies beside the checkout."""
    return [path for path in sorted(formats.rglob("*")) if path.is_file() and "README" not in path.name]


@pytest.fixture
def sample(shared_data: Path) -> list[Path]:
    formats = shared_data / "formats"
    return [*(formats / name for name in SAMPLE), *sorted((formats / "lengths").iterdir())]


def check_file(call: Run, verb: str, path: Path, folder: Path, sound_model: Path) -> bool:
    """Run a command on one file; it succeeds or is rejected in one line. Returns which."""
    output = folder / f"out{SUFFIXES[verb]}"
    outcome = call(*arguments(verb, path, output, sound_model, "--json"))
    content = json.loads(outcome.out, parse_constant=lambda name: pytest.fail(f"{path}: {name} in JSON"))
    assert not hidden(folder)
    if outcome.code == 0:
        assert content
        assert outcome.error == "", path
        read(output)
        output.unlink()
        return True
    assert outcome.code == 1, outcome
    message(outcome, path.name)
    assert not output.exists()
    return False


def fine(path: Path) -> bool:
    try:
        probe(path)
    except RecordingRejected:
        return False
    return True


@pytest.mark.thinned(2)
@pytest.mark.parametrize("verb", [verb for verb in SUFFIXES if verb != "spectrogram"])
def test_a_file_is_done_whole_or_rejected_in_a_line(
    wavecast: Run, verb: str, sample: list[Path], sound_model: Path, tmp_path: Path
) -> None:
    done = [check_file(wavecast, verb, path, tmp_path, sound_model) for path in sample]
    assert any(done) == (verb != "decompress")
    assert not all(done)


@pytest.mark.parametrize("verb", SUFFIXES)
def test_many_files_are_done_whatever_is_among_them(
    wavecast: Run, verb: str, sample: list[Path], good: Path, sound_model: Path, tmp_path: Path
) -> None:
    files = sample[:6] + [path for path in sample if "truncated_half" in path.name]
    for path in files:
        shutil.copy(path, tmp_path / path.name)
    shutil.copy(good, tmp_path / "good.aiff")  # of the same name, but for its suffix
    sources = sorted(path for path in tmp_path.iterdir() if path.is_file())
    if verb == "decompress":
        wavecast(*arguments("compress", good, tmp_path / "good.wcz", sound_model))
        sources = sorted([*sources, tmp_path / "good.wcz"])
    output = tmp_path / "results" / "scores.csv" if verb == "score" else tmp_path / "results"
    outcome = wavecast(*arguments(verb, sources[0], output, sound_model, "--json"), *sources[1:])
    assert outcome.code == 1
    assert not hidden(tmp_path)
    content = json.loads(outcome.out)
    done = content["recordings"] if verb == "score" else content
    assert done
    refused = len(outcome.error.splitlines())
    assert refused + len(done) == len(sources)
    assert all(line.startswith(f"wavecast: {tmp_path}") for line in outcome.error.splitlines())
    if verb != "score":
        assert len(list((tmp_path / "results").iterdir())) == len(done)


@pytest.mark.parametrize("verb", ["prepare", "evaluate", "doctor"])
def test_a_corpus_with_bad_files_is_used_as_far_as_it_goes(
    wavecast: Run, verb: str, sample: list[Path], sound_model: Path, tmp_path: Path
) -> None:
    for number, path in enumerate(sample):
        shutil.copy(path, tmp_path / f"{number}-{path.name}")
    for number in range(12):
        write_sound(tmp_path / f"good-{number}.wav", tone(800, number))
    more = {"prepare": CORPUS, "evaluate": [*CORPUS, "-m", sound_model], "doctor": []}[verb]
    outcome = wavecast(verb, tmp_path, "--json", *more)
    assert outcome.code == (1 if verb == "doctor" else 0), outcome.error
    assert outcome.error == ""
    assert json.loads(outcome.out)


def test_the_doctor_examines_every_file(wavecast: Run, sample: list[Path]) -> None:
    outcome = wavecast("doctor", *sample, "--json")
    assert outcome.error == ""
    examined = json.loads(outcome.out)
    assert [one["thing"] for one in examined] == [str(path) for path in sample]
    assert all(one["has_problem"] or fine(path) for one, path in zip(examined, sample, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("verb", SUFFIXES)
def test_every_file_is_done_whole_or_rejected_in_a_line(
    wavecast: Run, verb: str, shared_data: Path, sound_model: Path, tmp_path: Path
) -> None:
    for path in nasty_files(shared_data / "formats"):
        check_file(wavecast, verb, path, tmp_path, sound_model)


@pytest.mark.slow
@pytest.mark.parametrize("verb", SUFFIXES)
def test_the_whole_folder_at_once(
    wavecast: Run, verb: str, shared_data: Path, sound_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / ("scores.json" if verb == "score" else "results")
    outcome = wavecast(*arguments(verb, shared_data / "formats", output, sound_model, "--json"))
    content = json.loads(outcome.out)
    done = content["recordings"] if verb == "score" else content
    assert outcome.code == 1
    assert len(done) + len(outcome.error.splitlines()) == len(nasty_files(shared_data / "formats"))
    assert not hidden(tmp_path)
