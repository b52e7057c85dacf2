"""Each split of the data set is an input of the MLflow run, with its sizes and without a local path."""

import json
from pathlib import Path

import pytest

from pipeline.common.files import write_json
from pipeline.config.run import RunConfig
from pipeline.tracking.run_folder import start_run
from pipeline.tracking.sync import sync
from tests.helpers.tracked_runs import mirrored


@pytest.mark.usefixtures("local_store")
@pytest.mark.parametrize(
    ("input_kind", "rows_a_minute"),
    [
        ({"kind": "waveform", "sample_rate": 8_000}, 480_000),
        ({"kind": "spectrogram", "sample_rate": 8_000, "hop_length": 80, "window_length": 200}, 6_000),
        ({"kind": "piano-roll"}, 480),
    ],
)
def test_splits_are_inputs_with_their_sizes_and_speakers(
    own_data_dir: Path, input_kind: dict[str, object], rows_a_minute: int
) -> None:
    place = own_data_dir / "somewhere" / "voices"
    corpus = {"inputs": [str(place), "s3://bucket/more"]}
    prepared = own_data_dir / "prepared" / "x" / "y" / "dataset.json"
    prepared.parent.mkdir(parents=True)
    entries = [("train", "a"), ("train", "b"), ("train", "b"), ("valid", "c")]
    recordings = [{"split": split, "group": group, "length": rows_a_minute} for split, group in entries]
    write_json(prepared, {"recordings": recordings})
    head = "bernoulli" if input_kind["kind"] == "piano-roll" else "gaussian_mixture"
    settings = {"name": "voices", "corpus": corpus, "input": input_kind, "model": {"head": head}}
    config = RunConfig.model_validate(settings)
    run = start_run(config, prepared, "0123456789abcdef")
    sync(run)
    (run.path / "tracking.json").unlink()
    sync(run)
    found = {each.tags[0].value: each.dataset for each in mirrored(run).inputs.dataset_inputs}
    assert {use: dataset.name.rpartition(" ")[2] for use, dataset in found.items()} == {
        "training": "train",
        "validation": "valid",
    }
    training = json.loads(found["training"].profile)
    minutes = None if input_kind["kind"] == "piano-roll" else 3.0
    sizes = (training.get("minutes"), training["recordings"], training["speakers or groups"])
    assert sizes == (minutes, 3, 2)
    assert {dataset.digest for dataset in found.values()} == {"0123456789abcdef"}
    words = str([dataset.to_dictionary() for dataset in found.values()])
    assert "voices" in words
    assert "s3://bucket/more" in words
    assert str(own_data_dir) not in words
