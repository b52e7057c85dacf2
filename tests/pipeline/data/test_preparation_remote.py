"""A corpus on an S3 server gives the data set, the model and the continuation of the same corpus here."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

import wavecast as library
from pipeline.errors import UserError
from tests.helpers.cli import Run, caller
from tests.helpers.recordings import noise
from tests.helpers.servers.s3 import BUCKET, s3_server, upload

TINY = ["model.hidden_size=8", "train.epochs=1", "train.max_minutes=0.2", "train.device=cpu"]
SETTINGS: dict[str, Any] = {
    "model.hidden_size": 8,
    "train.epochs": 1,
    "train.max_minutes": 0.2,
    "train.device": "cpu",
}


def prepared(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path, corpus: object) -> dict[str, Any]:
    """Prepare a corpus in a data folder of its own, and return what the command prints."""
    monkeypatch.setenv("WAVECAST_DATA", str(home))
    outcome = run("prepare", corpus, "--json")
    assert outcome.code == 0, outcome.error
    facts: dict[str, Any] = json.loads(outcome.out)
    return facts


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


@pytest.mark.slow
def test_parts_of_remote_files_models_by_address_and_what_could_not_be_fetched(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr("pipeline.common.remote.reading.FIRST_WAIT_S", 0.01)
    wavecast = caller(monkeypatch, capfd)
    files = sorted(corpus.rglob("*.wav"))
    kaldi = tmp_path / "kaldi"
    (kaldi / "data").mkdir(parents=True)
    (kaldi / "wav.scp").write_text("".join(f"r{i} {path}\n" for i, path in enumerate(files)))
    (kaldi / "segments").write_text("".join(f"u{i} r{i} 0.25 1.0\n" for i in range(12)))
    (kaldi / "utt2spk").write_text("".join(f"u{i} {path.parent.name}\n" for i, path in enumerate(files)))
    rows = [
        {"audio": {"bytes": path.read_bytes(), "path": path.name}, "speaker_id": path.parent.name}
        for path in files
    ]
    hugging = tmp_path / "hugging"
    (hugging / "data").mkdir(parents=True)
    parquet.write_table(
        pyarrow.Table.from_pylist(rows), hugging / "data" / "train-0.parquet", row_group_size=5
    )
    with s3_server(monkeypatch) as server:
        address = upload(corpus, "corpus")
        for name, root in (("kaldi", kaldi), ("hugging", hugging)):
            local = prepared(wavecast, monkeypatch, tmp_path / f"{name}-here", root)
            if name == "kaldi":
                text = (root / "wav.scp").read_text().replace(str(corpus), address)
                (root / "wav.scp").write_text(text)
            remote = prepared(wavecast, monkeypatch, tmp_path / f"{name}-there", upload(root, name))
            assert Path(remote["dataset"]).parent.name == Path(local["dataset"]).parent.name, name
            assert remote["recordings"] == 12

        # What could not be fetched is rejected, and is tried again the next time.
        server.denied = "/11.wav"
        partly = prepared(wavecast, monkeypatch, tmp_path / "partly", address)
        ((reason),) = [one["reason"] for one in partly["refused"]]
        assert "access is denied" in reason
        server.denied = ""
        assert prepared(wavecast, monkeypatch, tmp_path / "partly", address)["recordings"] == 12
        table = tmp_path / "table.csv"
        table.write_text(f"path\n{address}/speaker0/0.wav\ns3://absent/x.wav\n")
        ((reason),) = [
            one["reason"] for one in prepared(wavecast, monkeypatch, tmp_path / "t", table)["refused"]
        ]
        assert reason == "there is no such bucket"

        speakers = [f"{address}/speaker{index}" for index in range(4)]
        here = library.train([corpus / f"speaker{index}" for index in range(4)], settings=SETTINGS)
        there = library.train(speakers, settings=SETTINGS)
        assert there.folder
        assert here.folder
        weights = there.folder / "model.safetensors"
        assert weights.read_bytes() == (here.folder / "model.safetensors").read_bytes()
        model = library.load_model(upload(there.folder, "model"))
        from_server = model.predict(f"{address}/speaker1/1.wav", seconds=0.05).added
        assert (from_server == there.predict(corpus / "speaker1" / "1.wav", seconds=0.05).added).all()
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(UserError, match=r"s3://corpora/short: .*its weights are not those") as problem:
            library.load_model(upload(there.folder, "short"))
        assert "\n" not in str(problem.value)
