"""A corpus on an S3 server gives the data set, the model and the continuation of the same corpus here."""

import hashlib
import json
from pathlib import Path

import pytest
import soundfile

from tests.helpers.cli import caller
from tests.helpers.recordings import noise
from tests.helpers.servers.s3 import BUCKET, s3_server, upload

TINY = ["model.hidden_size=8", "train.epochs=1", "train.max_minutes=0.2", "train.device=cpu"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for index in range(12):
        path = tmp_path / "corpus" / f"speaker{index % 6}" / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(24_000, index) // 8, 16_000)
    (tmp_path / "corpus" / "speaker0" / "notes.txt").write_text("no sound")
    return tmp_path / "corpus"


@pytest.mark.slow
def test_results_are_equal_to_those_of_local_files(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wavecast = caller(monkeypatch, capfd)
    settings = [word for setting in TINY for word in ("--set", setting)]
    with s3_server(monkeypatch) as server:
        address = upload(corpus, "corpus")
        table = tmp_path / "list.csv"
        rows = [f"{address}/{path.relative_to(corpus).as_posix()}" for path in sorted(corpus.rglob("*.wav"))]
        table.write_text("path\n" + "\n".join(rows) + "\n")
        server.every = 10
        facts = {}
        for name, given in (("here", corpus), ("there", address), ("table", table)):
            monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / name))
            outcome = wavecast("prepare", given, "--json")
            assert outcome.code == 0, outcome.error
            facts[name] = json.loads(outcome.out)
        assert server.failed
        fingerprints = {Path(found["dataset"]).parent.name for found in facts.values()}
        assert len(fingerprints) == 1
        assert len({json.dumps(found["minutes"]) for found in facts.values()}) == 1

        server.gets.clear()
        assert wavecast("prepare", table, "--json").code == 0
        assert not [path for path in server.gets if path.endswith(".wav")]

        sounds = {}
        for name, given in (("here", corpus), ("there", address)):
            monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / name))
            outcome = wavecast("train", given, *settings, "--json")
            assert outcome.code == 0, outcome.error
            (weights,) = (tmp_path / name).glob("runs/*/model/model.safetensors")
            sounds[name] = hashlib.sha256(weights.read_bytes()).hexdigest()
        assert sounds["here"] == sounds["there"]

        model = upload(weights.parent, "model")
        recording = "speaker1/1.wav"
        for name, sound, folder in (
            ("here", corpus / recording, weights.parent),
            ("there", f"{address}/{recording}", model),
        ):
            output = tmp_path / f"{name}.wav"
            outcome = wavecast("predict", sound, "-o", output, "--model", folder, "--seconds", "0.1")
            assert outcome.code == 0, outcome.error
        assert (tmp_path / "here.wav").read_bytes() == (tmp_path / "there.wav").read_bytes()
        outcome = wavecast("score", f"s3://{BUCKET}/absent.wav", "--model", model)
        assert outcome.code == 1
        assert outcome.error.count("\n") == 1
