"""The list of settings, and configurations printed as files."""

import json
from pathlib import Path

import pytest

from pipeline.cli.text.settings import configuration_yaml, list_settings
from pipeline.config.loading import included_configs, load_config
from tests.helpers.cli import Run


def test_every_setting_has_a_meaning_and_what_is_allowed() -> None:
    found = list_settings()
    assert all(setting["meaning"] and setting["allowed"] for setting in found)
    by_key = {setting["key"]: setting for setting in found if setting["input_kind"] in (None, "waveform")}
    assert by_key["train.epochs"]["allowed"] == "integer > 0"
    assert by_key["train.epochs"]["default"] == load_config().train.epochs
    assert by_key["train.schedule"]["allowed"] == "constant | linear | cosine"
    assert by_key["train.max_minutes"]["allowed"] == "number > 0 or none"
    assert by_key["input.hop"]["input_kind"] == "waveform"


@pytest.mark.parametrize("name", included_configs())
def test_a_printed_configuration_is_the_same_configuration(tmp_path: Path, name: str) -> None:
    loaded = load_config(Path(name), ["train.epochs=3"])
    (tmp_path / "printed.yaml").write_text(configuration_yaml(loaded))
    assert load_config(tmp_path / "printed.yaml") == loaded


def test_the_command_lists_settings_or_prints_a_configuration(wavecast: Run) -> None:
    text = wavecast("config").out
    assert "train.epochs = 10  (integer > 0)" in text
    assert {"key", "meaning"} <= json.loads(wavecast("config", "--json").out)[0].keys()
    printed = wavecast("config", "base", "--set", "train.epochs=3").out
    assert "epochs: 3" in printed
    assert json.loads(wavecast("config", "base", "--json").out)["train"]["epochs"] == 10
