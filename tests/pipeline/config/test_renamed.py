"""Settings of earlier releases are read under their present names, wherever they are written."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config, variant_config
from pipeline.config.renamed import earlier_names, present_names
from pipeline.config.run import RunConfig

EARLIER = {
    "model": {"cell": "study-gru", "head": "gaussians"},
    "train": {"sequences": "independent", "chunk_steps": 7},
    "samples": {"prime_seconds": 3.0},
}


def assert_present(config: RunConfig) -> None:
    assert (config.model.cell, config.model.head) == ("chung2014-gru", "gaussian_mixture")
    assert (config.train.state, config.train.bptt_steps) == ("reset", 7)
    assert config.samples.context_seconds == 3.0


def test_a_record_of_an_earlier_run_is_read() -> None:
    assert_present(RunConfig.model_validate(EARLIER))


def test_a_file_and_the_command_line_may_use_earlier_names(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("extends: base.yaml\ntrain: {sequences: independent, chunk_steps: 50}\n")
    overrides = [
        "model.cell=study-gru",
        "model.head=gaussians",
        "samples.prime_seconds=3.0",
        "train.chunk_steps=7",
    ]
    assert_present(load_config(path, overrides))
    assert load_config(path, ["train.bptt_steps=8"]).train.bptt_steps == 8


def test_a_variant_may_use_earlier_names() -> None:
    config = load_config(overrides=["variants={old: {model.cell: study-lstm, train.chunk_steps: 9}}"])
    old = variant_config(config, "old")
    assert (old.model.cell, old.train.bptt_steps) == ("chung2014-lstm", 9)


@pytest.mark.parametrize("section", EARLIER)
def test_earlier_names_are_the_inverse(section: str) -> None:
    assert earlier_names(section, present_names(section, EARLIER[section])) == EARLIER[section]
