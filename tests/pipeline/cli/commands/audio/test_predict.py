"""`wavecast predict` and `generate` on files: takes, formats, rates, several files, the limiter."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.model.storage import save_model
from tests.helpers.builders import tiny_model, tone, write_sound
from tests.helpers.cli import Run, refused

SOUND = WaveformConfig(sample_rate=8_000)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, tiny = tmp_path_factory.mktemp("model"), tiny_model(SOUND)
    facts = {"loudest_level": 1.0}
    save_model(folder, tiny.network.state_dict(), SOUND, tiny.model, tiny.normalisation, facts)
    return folder


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "talk.wav", tone(8_000))


def read(path: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(path, dtype="int16")
    return samples, rate


def test_takes_are_ranked_files_that_differ(wavecast: Run, model: Path, talk: Path, tmp_path: Path) -> None:
    done = wavecast("predict", talk, "-o", tmp_path / "x.flac", "-m", model, "--takes", 3, "--json")
    assert done.code == 0, done.error
    facts = json.loads(done.out)
    paths = [Path(take["output"]) for take in facts["takes"]]
    assert [path.name for path in paths] == ["x-1.flac", "x-2.flac", "x-3.flac"]
    sounds = [read(path)[0] for path in paths]
    assert all(np.array_equal(sound[:8_000], tone(8_000)) for sound in sounds)
    assert all(len(sound) == 24_000 for sound in sounds)
    assert not np.array_equal(sounds[0], sounds[1])
    distances_db = [take["distance_db"] for take in facts["takes"]]
    assert distances_db == sorted(distances_db)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("rate", ["model", "input"])
def test_every_format_at_either_rate_lasts_as_long(
    wavecast: Run, model: Path, tmp_path: Path, suffix: str, rate: str
) -> None:
    recording = write_sound(tmp_path / "in.wav", tone(44_100, sample_rate=44_100), 44_100)
    output = tmp_path / f"out.{suffix}"
    arguments = ["--seconds", 0.5, "--rate", rate, "-m", model]
    done = wavecast("predict", recording, "-o", output, *arguments)
    assert done.code == 0, done.error
    samples, found = read(output)
    assert found == (8_000 if rate == "model" else 44_100)
    assert len(samples) / found == pytest.approx(1.5, abs=0.1 if suffix == "mp3" else 0.001)
    if (suffix, rate) == ("flac", "input"):
        assert np.array_equal(samples[:44_100], tone(44_100, sample_rate=44_100))


def test_many_recordings_go_into_a_folder_and_a_rejected_one_is_reported(
    wavecast: Run, model: Path, tmp_path: Path
) -> None:
    for name in ("a/1.wav", "b/1.wav"):
        write_sound(tmp_path / "in" / name, tone(2_000))
    (tmp_path / "in" / "b" / "page.wav").write_text("<html>")
    arguments = ["-o", tmp_path / "out", "--plot", tmp_path / "pictures", "-m", model, "--seconds", 0.1]
    done = wavecast("predict", tmp_path / "in", *arguments)
    assert done.code == 1
    assert len(done.error.splitlines()) == 1
    assert "page.wav" in done.error
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("[op]*/*/*")} == {
        *("out/a/1.wav", "out/b/1.wav", "pictures/a/1.png", "pictures/b/1.png")
    }


def test_a_reduced_level_is_reported_where_it_lasts(
    wavecast: Run, model: Path, talk: Path, tmp_path: Path
) -> None:
    loud = ["predict", talk, "-m", model, "--temperature", 3, "--noise-scale", 3]
    done = wavecast(*loud, "-o", tmp_path / "x.wav")
    assert "its level was reduced in" in done.out
    facts = json.loads(wavecast(*loud, "-o", tmp_path / "json.wav", "--json").out)
    assert facts["takes"][0]["limiter"]["gain_reduced_seconds"] > 0.05 * facts["continuation_seconds"]
    usual = ["-m", model, "--noise-scale", 0, "--mode", "likely"]
    assert "its level" not in wavecast("predict", talk, "-o", tmp_path / "y.wav", *usual).out


def test_old_spellings_of_options_are_still_accepted(
    wavecast: Run, model: Path, talk: Path, tmp_path: Path
) -> None:
    common = ["predict", talk, "-m", model, "--seconds", 0.1]
    new = ["--trim-end", 0.1, "--mode", "mean", "--noise-scale", 0.5, "--output-rate=input"]
    old = ["--cut", 0.1, "--kind", "mean", "--spread", 0.5, "--rate=input"]
    for name, options in (("new.wav", new), ("old.wav", old)):
        done = wavecast(*common, *options, "-o", tmp_path / name)
        assert done.code == 0, done.error
    assert (tmp_path / "new.wav").read_bytes() == (tmp_path / "old.wav").read_bytes()
    help_text = wavecast("predict", "--help").out
    assert "--trim-end" in help_text
    assert "--cut" not in help_text


@pytest.mark.parametrize("kind", ["mean", "likely"])
def test_without_chance_the_seed_does_not_matter(
    wavecast: Run, model: Path, talk: Path, tmp_path: Path, kind: str
) -> None:
    for seed in (1, 2):
        arguments = ["--mode", kind, "--seed", seed, "-m", model, "--seconds", 0.1]
        assert wavecast("predict", talk, "-o", tmp_path / f"{seed}.wav", *arguments).code == 0
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "2.wav").read_bytes()


def test_generate_needs_no_recording(wavecast: Run, model: Path, tmp_path: Path) -> None:
    arguments = ["--seconds", 0.5, "--takes", 2, "--seed", 5, "--plot", tmp_path / "x.png", "-m", model]
    done = wavecast("generate", "-o", tmp_path / "x.wav", *arguments, "--json")
    assert done.code == 0, done.error
    assert {take["seed"] for take in json.loads(done.out)["takes"]} == {5, 6}
    for name in ("x-1.wav", "x-2.wav"):
        samples, rate = read(tmp_path / name)
        assert (len(samples), rate) == (4_000, 8_000)
        assert samples.std() > 0
    assert (tmp_path / "x.png").exists()


def test_a_spectrogram_model_is_inverted_by_griffin_lim(wavecast: Run, talk: Path, tmp_path: Path) -> None:
    config = SpectrogramConfig(
        kind="spectrogram", sample_rate=8_000, n_mels=20, window_length=200, hop_length=80
    )
    tiny = tiny_model(config)
    save_model(tmp_path / "m", tiny.network.state_dict(), config, tiny.model, tiny.normalisation, {})
    done = wavecast("predict", talk, "-o", tmp_path / "x.wav", "-m", tmp_path / "m", "--seconds", 0.5)
    assert done.code == 0, done.error
    samples, _ = read(tmp_path / "x.wav")
    assert np.array_equal(samples[:8_000], tone(8_000))
    assert len(samples) == 12_000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["predict", "{talk}", "-o", "x.wav", "--takes", "0"], 2, ["takes"]),
        (["predict", "{talk}", "-o", "x.wav", "--temperature", "-1"], 2, ["temperature"]),
        (["predict", "{talk}", "-o", "x.wav", "--seed", "-1"], 2, ["seed"]),
        (["predict", "{talk}", "-o", "x.wav", "--trim-end", "9"], 1, ["trimmed end"]),
        (["predict", "{talk}", "-o", "x.wav", "--context", "0"], 2, ["context"]),
        (["predict", "{talk}", "-o", "x.wav", "--mode", "loud"], 2, ["--mode"]),
        (["predict", "*.nothing", "-o", "x"], 1, ["nothing"]),
        (["generate"], 2, ["--output"]),
        (["generate", "-o", "x.wav", "--seconds", "0"], 2, ["seconds"]),
        (["generate", "-o", "x.txt"], 1, ["x.txt"]),
        (["generate", "--stream", "--takes", "2"], 2, ["one take"]),
    ],
)
def test_a_mistake_is_one_line(
    wavecast: Run,
    model: Path,
    talk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(talk=talk) for argument in arguments]
    refused(wavecast(*filled, "-m", model), code, *words)
    assert not list(tmp_path.glob("x*"))
