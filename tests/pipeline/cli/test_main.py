"""The command line as a user meets it: results on standard output, one line for a mistake, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.cli.main import main
from tests.helpers.cli import Run, refused
from tests.helpers.sounds import write_noisy_tones

HEAVY = ("torch", "mlflow", "prefect", "librosa", "matplotlib", "soundfile", "scipy")
SETTINGS = [
    *("--set", "input.sample_rate=8000", "--set", "corpus.group=recording", "--set", "train.device=cpu"),
    *("--set", "model.hidden_size=16", "--set", "model.mixture_components=2", "--set", "train.epochs=1"),
]
# These lost no sample, so they are recordings like any other; all others in the folder are rejected.
DAMAGED_BUT_WHOLE = {
    "blockalign_0.wav",
    "riff_size_wrong.wav",
    "trailing_garbage.wav",
    "trailing_garbage.flac",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus and a model trained on it by the command line."""
    folder = tmp_path_factory.mktemp("trained")
    corpus = write_noisy_tones(folder / "tones", count=10, seconds=0.4, sample_rate=8000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(folder / "data"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(sys, "argv", ["wavecast", "train", str(corpus), *SETTINGS])
        main()
    return corpus, next((folder / "data" / "runs").iterdir()) / "model"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['wavecast', '--help']\ntry:\n"
    code += "    from pipeline.cli.main import main; main()\n"
    code += f"finally:\n    print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for verb in ("demo", "prepare", "train", "evaluate", "predict", "run", "models", "ui", "bench"):
        assert verb in done.stdout


def test_predict_writes_recording_and_continuation(
    wavecast: Run, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    corpus, model = trained
    recording = sorted(corpus.iterdir())[0]
    context, rate = soundfile.read(recording, dtype="int16")
    outcome = wavecast(
        *("predict", recording, "--seconds", 0.5, "--model", model, "--output", tmp_path / "out.wav"),
        *("--plot", tmp_path / "out.png", "--json"),
    )
    assert outcome.code == 0, outcome.error
    written, written_rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert written_rate == rate
    np.testing.assert_array_equal(written[: len(context)], context)
    assert len(written) == len(context) + 4000
    assert json.loads(outcome.out)["seam_seconds"] == pytest.approx(len(context) / rate)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_predict_can_leave_the_recording_out_and_obeys_its_seed(
    wavecast: Run, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    corpus, model = trained
    recording = sorted(corpus.iterdir())[0]

    def continuation(seed: int, name: str) -> bytes:
        arguments = ["--seconds", 0.1, "--model", model, "--only-continuation", "--seed", seed]
        assert wavecast("predict", recording, *arguments, "-o", tmp_path / name).code == 0
        assert soundfile.info(tmp_path / name).frames == 800
        return (tmp_path / name).read_bytes()

    assert continuation(1, "a.wav") == continuation(1, "b.wav")
    assert continuation(1, "c.wav") != continuation(2, "d.wav")


def test_predict_converts_another_rate(wavecast: Run, trained: tuple[Path, Path], tmp_path: Path) -> None:
    _, model = trained
    time_s = np.arange(22_050) / 44_100
    soundfile.write(tmp_path / "in.flac", np.stack([np.sin(2764 * time_s)] * 2, 1) * 0.3, 44_100)
    outcome = wavecast(
        "predict", tmp_path / "in.flac", "-o", tmp_path / "out.wav", "-m", model, "--seconds", 0.1
    )
    assert outcome.code == 0, outcome.error
    assert soundfile.info(tmp_path / "out.wav").frames == 4000 + 800
    assert soundfile.info(tmp_path / "out.wav").samplerate == 8000


def test_nothing_is_overwritten_unless_asked(
    wavecast: Run, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    corpus, model = trained
    recording = sorted(corpus.iterdir())[0]
    (tmp_path / "out.wav").write_text("precious")
    arguments = ["predict", recording, "-o", tmp_path / "out.wav", "-m", model, "--seconds", 0.1]
    refused(wavecast(*arguments), 1, "out.wav", "--overwrite")
    assert (tmp_path / "out.wav").read_text() == "precious"
    assert wavecast(*arguments, "--overwrite").code == 0
    assert soundfile.info(tmp_path / "out.wav").frames > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["predict", "absent.wav", "-o", "x.wav"], 1, ["absent.wav"]),
        (["predict", "absent.wav"], 2, ["--output"]),
        (["predict", "{recording}", "-o", "x.xyz"], 1, ["x.xyz", ".wav"]),
        (["predict", "{recording}", "-o", "x.wav", "--seconds", "-1"], 2, ["seconds"]),
        (["predict", "{recording}", "-o", "x.wav", "--model", "nowhere"], 1, ["nowhere"]),
        (["predict", "{recording}", "-o", "x.wav", "--model", "models:/x@y"], 1, ["models:/x@y"]),
        (["predict", "{recording}", "-o", "x.wav"], 1, ["make demo"]),
        (["prepare", "absent"], 1, ["absent"]),
        (["prepare"], 2, ["recordings"]),
        (["prepare", ".", "--config", "absent.yaml"], 2, ["absent.yaml", "base"]),
        (["prepare", ".", "--set", "train"], 2, ["key=value"]),
        (["train", "--resume", "absent"], 1, ["absent"]),
        (["compose"], 2, ["compose"]),
        (["predict", "--loudly"], 2, []),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    wavecast: Run,
    trained: tuple[Path, Path],
    arguments: list[str],
    code: int,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = sorted(trained[0].iterdir())[0]
    monkeypatch.chdir(tmp_path)
    refused(wavecast(*(argument.format(recording=recording) for argument in arguments)), code, *words)
    assert not (tmp_path / "x.wav").exists()


def test_every_broken_recording_is_rejected_in_one_line(
    wavecast: Run, trained: tuple[Path, Path], shared_data: Path, tmp_path: Path
) -> None:
    files = sorted((shared_data / "formats" / "broken").iterdir())
    assert len(files) > 15
    for path in files:
        output = tmp_path / "out.wav"
        outcome = wavecast("predict", path, "-o", output, "-m", trained[1], "--seconds", 0.01)
        if path.name in DAMAGED_BUT_WHOLE:
            assert outcome.code == 0
            output.unlink()
        else:
            refused(outcome, 1, path.name)
            assert not output.exists()


def test_prepare_lists_rejected_recordings_as_they_were_named(
    wavecast: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=6, seconds=0.1, sample_rate=8000)
    (corpus / "page.wav").write_text("<html>not found</html>")
    outcome = wavecast("prepare", corpus, *SETTINGS[:4], "--json")
    found = json.loads(outcome.out)
    assert found["recordings"] == 6
    assert [Path(item["path"]).name for item in found["refused"]] == ["page.wav"]
    assert f"  rejected {corpus / 'page.wav'}: " in wavecast("prepare", corpus, *SETTINGS[:4]).out
    monkeypatch.chdir(tmp_path)
    assert f"  rejected {Path('tones/page.wav')}: " in wavecast("prepare", "tones", *SETTINGS[:4]).out


def test_evaluate_prints_the_model_beside_its_baselines(wavecast: Run, trained: tuple[Path, Path]) -> None:
    corpus, model = trained
    outcome = wavecast("evaluate", corpus, "--model", model, *SETTINGS[:4], "--json")
    assert outcome.code == 0, outcome.error
    figures = json.loads(outcome.out)
    assert figures["baselines"]["uniform"]["bits_per_sample"] == 16
    assert 0 < figures["model"]["bits_per_sample"] < 32
    table = wavecast("evaluate", corpus, "--model", model, *SETTINGS[:4]).out
    assert "FLAC" in table
    assert "bits per sample" in table


def test_models_reports_when_there_are_none(wavecast: Run) -> None:
    assert "make demo" in wavecast("models").out
    assert json.loads(wavecast("models", "--json").out) == []
