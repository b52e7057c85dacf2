"""Where a configuration comes from: files over files, keys over both, variants over all."""

from pathlib import Path

import pytest
import yaml

from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.config.loading import CONFIGS, find_config, load_config, merge, nested, variant_config
from pipeline.config.run import RunConfig
from pipeline.data.dataset import dataset_settings
from pipeline.errors import UserError
from tests.helpers.configurations import refusal, written

# Files over files


def test_a_file_changes_only_what_it_says(tmp_path: Path) -> None:
    written(tmp_path, "name: root\ntrain: {epochs: 3, seed: 5}\nmodel: {hidden_size: 8}", "root.yaml")
    written(tmp_path, "extends: root.yaml\ntrain: {epochs: 4}", "middle.yaml")
    (tmp_path / "below").mkdir()
    leaf = written(tmp_path / "below", "extends: ../middle.yaml\nname: leaf\nmodel: {cell: lstm}")
    config = load_config(leaf)
    assert (config.name, config.train.epochs, config.train.seed) == ("leaf", 4, 5)
    assert (config.model.cell, config.model.hidden_size) == ("lstm", 8)
    assert config.input == WaveformConfig()


def test_a_circle_of_files_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "extends: b.yaml", "a.yaml")
    written(tmp_path, "extends: c.yaml", "b.yaml")
    written(tmp_path, "extends: a.yaml", "c.yaml")
    printed = refusal(tmp_path / "a.yaml")
    assert printed.endswith("extends itself (a.yaml -> b.yaml -> c.yaml -> a.yaml)")
    assert "extends itself" in refusal(written(tmp_path, "extends: run.yaml"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("extends: nowhere.yaml", "nowhere.yaml: no such configuration"),
        ("- a list", "must hold keys and values"),
        ("just words", "must hold keys and values"),
        ("train: {epochs: 3", "not YAML"),
        ("train: !!python/object:os.system {}", "not YAML"),
        ("1: 2", "Keys should be strings"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, complaint: str, tmp_path: Path) -> None:
    assert complaint in refusal(written(tmp_path, text))


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sound.yaml").write_bytes(b"RIFF\xff\xfe")
    assert "cannot be read" in refusal(tmp_path / "sound.yaml")
    printed = refusal(tmp_path / "missing.yaml")
    assert "no such configuration; give a YAML file or one of: adaptive, base, demo" in printed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("extends: |\n x\n", "x\\n: no such configuration"),
        (f"extends: {'a' * 5_000}", "a...: no such configuration"),
        (f"input: {{kind: {'a' * 5_000}}}", "Input tag 'aaa"),
        ("run: {workers: 0}", "run.workers: 0 is neither a number of processes, at least 1, nor the"),
        ("run: {workers: 'dask://nowhere'}", "run.workers: 'dask://nowhere' is neither a number of"),
        ("preparation: {workers: true}", "preparation.workers: True is neither a number of processes"),
        ("variants: {a: {model: {cell: gru}}}", "variants.a.model: must be one value; name each key of"),
    ],
)
def test_a_long_or_odd_value_gives_one_short_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_config(written(tmp_path, text))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "")) == RunConfig()


def test_a_file_of_ones_own_comes_before_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("demo.yaml")) == CONFIGS / "demo.yaml"
    own = written(tmp_path, "name: own", "demo.yaml")
    assert find_config(Path("demo.yaml")).resolve() == own.resolve()


# Kinds


def test_another_kind_replaces_the_section(tmp_path: Path) -> None:
    path = written(tmp_path, f"extends: {CONFIGS / 'base.yaml'}\ninput: {{kind: spectrogram, n_mels: 7}}")
    config = load_config(path)
    assert config.input == SpectrogramConfig(kind="spectrogram", n_mels=7)
    back = written(tmp_path, "extends: run.yaml\ninput: {kind: waveform}", "back.yaml")
    assert load_config(back).input == WaveformConfig()
    same = written(tmp_path, "extends: run.yaml\ninput: {kind: spectrogram, n_fft: 1024}", "same.yaml")
    assert load_config(same).input == SpectrogramConfig(kind="spectrogram", n_mels=7, n_fft=1024)


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_keys_does_not_matter_to_a_kind(turned: bool) -> None:
    overrides = ["input.kind=spectrogram", "input.sample_rate=8000", "input.n_mels=12"]
    expected = SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=12)
    assert load_config(overrides=overrides[::-1] if turned else overrides).input == expected
    changes = {key: yaml.safe_load(value) for key, value in (o.split("=") for o in overrides)}
    assert nested(dict(reversed(changes.items())) if turned else changes) == {
        "input": {"kind": "spectrogram", "sample_rate": 8_000, "n_mels": 12}
    }


# --set


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("train.epochs=3", "train", "epochs", 3),
        (" train.epochs = 3", "train", "epochs", 3),
        ("train.max_minutes=null", "train", "max_minutes", None),
        ("train.max_minutes=2", "train", "max_minutes", 2.0),
        ("corpus.inputs=[a b, /c]", "corpus", "inputs", [Path("a b"), Path("/c")]),
        ("corpus={valid_fraction: 0.2}", "corpus", "valid_fraction", 0.2),
        ("tracking.uri=http://127.0.0.1:5000?a=b", "tracking", "uri", "http://127.0.0.1:5000?a=b"),
        ("tracking.experiment='12'", "tracking", "experiment", "12"),
    ],
)
def test_a_key_is_set(override: str, section: str, field: str, value: object) -> None:
    assert getattr(getattr(load_config(overrides=[override]), section), field) == value


def test_the_last_of_several_settings_counts_and_a_section_keeps_the_rest() -> None:
    config = load_config(overrides=["train.epochs=3", "train={seed: 4}", "train.epochs=5"])
    assert config.train == RunConfig().train.model_copy(update={"epochs": 5, "seed": 4})


@pytest.mark.parametrize("override", ["train.epochs", "=3", ""])
def test_a_setting_without_key_or_value_is_refused(override: str) -> None:
    assert "write it as key=value" in refusal(overrides=[override])


@pytest.mark.parametrize("override", ["train.=3", ".train=3", "train..epochs=3", "train.epochs.more=3"])
def test_a_key_that_leads_nowhere_is_refused(override: str) -> None:
    refusal(overrides=[override])


def test_merging_leaves_its_arguments_alone() -> None:
    base, changes = {"a": {"b": 1}, "c": 2}, {"a": {"d": 3}}
    assert merge(base, changes) == {"a": {"b": 1, "d": 3}, "c": 2}
    assert (base, changes) == ({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}})


# Variants


def test_a_variant_is_the_run_with_its_changes() -> None:
    config = load_config(
        overrides=["train.epochs=3", "variants={big: {model.cell: lstm, train.seed: 9}, plain: {}}"]
    )
    big = variant_config(config, "big")
    assert big.model == config.model.model_copy(update={"cell": "lstm"})
    assert big.train == config.train.model_copy(update={"seed": 9})
    assert big.corpus == config.corpus
    assert big.variants == {}
    assert variant_config(config, "plain") == config.model_copy(update={"variants": {}})


def test_a_variant_may_change_how_the_prepared_rows_are_read() -> None:
    config = load_config(overrides=["variants={wide: {input.window: 32, samples.temperature: 0.5}}"])
    wide = variant_config(config, "wide")
    assert wide.input == config.input.model_copy(update={"window": 32})
    assert dataset_settings(wide.input) == dataset_settings(config.input)


@pytest.mark.parametrize(
    "change",
    [
        "input.sample_rate: 8000",
        "corpus.test_fraction: 0.2",
        "evaluate.split: valid",
        "name: other",
    ],
)
def test_a_variant_may_not_change_what_variants_share(change: str) -> None:
    printed = refusal(overrides=[f"variants={{other: {{{change}}}}}"])
    assert "variant other: " in printed
    assert "variants share their prepared data" in printed


def test_the_variants_of_a_file_replace_those_that_it_extends(tmp_path: Path) -> None:
    path = written(tmp_path, f"extends: {CONFIGS / 'demo.yaml'}\nvariants: {{only: {{}}}}")
    assert list(load_config(path).variants) == ["only"]


def test_the_problems_of_all_variants_are_said_at_once() -> None:
    printed = refusal(overrides=["variants={a: {model.cell: rnn}, good: {}, b: {model.hiden_size: 3}}"])
    assert "variant a: model.cell" in printed
    assert "\n" not in printed
    assert "model.cell = 'rnn'" in printed
    assert "; variant b: model.hiden_size" in printed
    assert "did you mean model.hidden_size?" in printed
    assert "good" not in printed
