"""Configurations: files over files, keys over both, and every problem said at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import RunConfig, Section, SpectrogramConfig, WaveformConfig
from pipeline.config_files import CONFIGS, find_config, load_config, merge, nested, variant_config
from pipeline.errors import UserError
from pipeline.features import analysis, row_width

SHIPPED = sorted(CONFIGS.glob("*.yaml"))


def refusal(path: Path | None = None, overrides: list[str] | None = None) -> str:
    with pytest.raises(UserError) as said:
        load_config(path, overrides or [])
    assert said.value.exit_code == 2
    return str(said.value)


def written(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def sections(model: type[BaseModel] = RunConfig) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for part in getattr(field.annotation, "__args__", (field.annotation,)):
            if isinstance(part, type) and issubclass(part, Section):
                yield from sections(part)


def keys(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: keys(value) if isinstance(value, dict) else None for key, value in tree.items()}


# What is shipped


def test_the_base_file_is_the_defaults_and_names_them_all() -> None:
    assert load_config() == RunConfig()
    content = yaml.safe_load((CONFIGS / "base.yaml").read_text())
    assert keys(content) == keys(RunConfig().model_dump())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_loads_by_path_and_by_name(path: Path) -> None:
    config = load_config(path)
    assert config == load_config(Path(path.name)) == load_config(Path(path.stem))
    assert row_width(config.input) > 0
    for variant in config.variants:
        assert variant_config(config, variant).variants == {}
    assert path.stem in (config.name, "base")


def test_every_field_says_what_it_means() -> None:
    found = list(sections())
    assert {"WaveformConfig", "SpectrogramConfig", "TrainConfig"} < {section.__name__ for section in found}
    for section in found:
        assert section.__doc__
        for name, field in section.model_fields.items():
            parts = getattr(field.annotation, "__args__", (field.annotation,))
            is_section = all(isinstance(part, type) and issubclass(part, Section) for part in parts)
            assert field.description or is_section, f"{section.__name__}.{name}"


def test_the_studys_sizes_are_those_of_the_variants() -> None:
    config = load_config(Path("demo"))
    sizes = {
        (variant.model.cell, variant.model.hidden_size)
        for variant in (variant_config(config, name) for name in config.variants)
    }
    assert sizes == {("tanh", 400), ("gru", 227), ("lstm", 195)}


# Numbers and types


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", ".001", "+1e-3", "1.0e-03"])
def test_a_number_is_a_number_in_files_and_on_the_command_line(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"train: {{learning_rate: {text}, epochs: 7}}")
    assert load_config(path).train.learning_rate == 0.001
    assert load_config(path).train.epochs == 7
    assert load_config(overrides=[f"train.learning_rate={text}"]).train.learning_rate == 0.001


def test_numbers_of_one_place_do_not_change_yaml_elsewhere() -> None:
    assert yaml.safe_load("1e-3") == "1e-3"


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("train.epochs=true", "train.epochs = True: Input should be a valid integer"),
        ("train.learning_rate=true", "train.learning_rate = True: Input should be a valid number"),
        ("train.epochs=1.0", "train.epochs = 1.0: Input should be a valid integer"),
        ("train.epochs=1e3", "train.epochs = 1000.0: Input should be a valid integer"),
        ("train.epochs='3'", "train.epochs = '3': Input should be a valid integer"),
        ("train.epochs=0", "train.epochs = 0: Input should be greater than 0"),
        ("train.learning_rate=.nan", "train.learning_rate = nan: Input should be greater than 0"),
        ("train.seed=-1", "train.seed = -1: Input should be greater than or equal to 0"),
        ("model.cell=rnn", "model.cell = 'rnn': Input should be 'tanh', 'gru' or 'lstm'"),
        ("train.device=gpu", "train.device = 'gpu': String should match pattern"),
        ("train=null", "train = None: Input should be a valid dictionary"),
        ("input.kind=piano", "'waveform', 'spectrogram'"),
        ("corpus.inputs=a.wav", "corpus.inputs = 'a.wav': Input should be a valid list"),
        ("corpus.valid_fraction=0.95", "corpus: valid_fraction + test_fraction must stay below 1"),
        ("name=../elsewhere", "name = '../elsewhere': String should match pattern"),
        ("variants={a/b: {}}", "'a/b': String should match pattern"),
    ],
)
def test_a_wrong_value_is_said_with_its_key_and_what_is_allowed(override: str, complaint: str) -> None:
    said = refusal(overrides=[override])
    assert complaint in said
    assert "base.yaml: 1 problem(s)" in said


def test_all_problems_are_said_at_once() -> None:
    said = refusal(
        overrides=["train.epochs=true", "model.cell=rnn", "train.epoch=3", "evaluate.split=dev", "nonsense=1"]
    )
    lines = said.splitlines()
    assert "5 problem(s)" in lines[0]
    assert sorted(line.split()[0].rstrip(":") for line in lines[1:]) == [
        "evaluate.split",
        "model.cell",
        "nonsense",
        "train.epoch",
        "train.epochs",
    ]


def test_long_values_are_cut_in_messages() -> None:
    assert len(refusal(overrides=[f"model.cell={'x' * 500}"])) < 250


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("train.epoch", "did you mean train.epochs?"),
        ("train.learning_rte", "did you mean train.learning_rate?"),
        ("input.windw", "did you mean input.window?"),
        ("learning_rate", "did you mean train.learning_rate?"),
        ("traim.epochs", "traim: unknown key; did you mean train?"),
        ("model.split", "did you mean evaluate.split?"),
        ("input.n_mels", "n_mels is for another input.kind"),
    ],
)
def test_an_unknown_key_is_met_with_the_one_that_was_meant(key: str, suggestion: str) -> None:
    assert suggestion in refusal(overrides=[f"{key}=1"])


def test_an_unknown_key_unlike_any_other_stands_alone() -> None:
    assert refusal(overrides=["train.xyzzyqqq=1"]).endswith("train.xyzzyqqq: unknown key")


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
    said = refusal(tmp_path / "a.yaml")
    assert said.endswith("extends itself (a.yaml -> b.yaml -> c.yaml -> a.yaml)")
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
    said = refusal(tmp_path / "missing.yaml")
    assert "no such configuration; give a YAML file or one of: base, demo" in said


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


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"hop_length": 201}, "2 * hop_length <= window_length <= n_fft must hold"),
        ({"window_length": 600}, "2 * hop_length <= window_length <= n_fft must hold"),
        ({"n_fft": 511}, "n_fft must be even"),
        ({"max_frequency_hz": 8_001.0}, "min_frequency_hz < max_frequency_hz <= sample_rate / 2 must hold"),
        ({"min_frequency_hz": 8_000.0}, "min_frequency_hz < max_frequency_hz <= sample_rate / 2 must hold"),
    ],
)
def test_a_spectrogram_that_cannot_be_is_refused_with_the_configuration(
    settings: dict[str, Any], complaint: str
) -> None:
    overrides = [f"input.{key}={value}" for key, value in settings.items()]
    assert f"input: {complaint}" in refusal(overrides=["input.kind=spectrogram", *overrides])


@pytest.mark.parametrize("sample_rate", [2_007, 8_000, 44_100])
@pytest.mark.parametrize("bounds", [(0.0, None), (100.0, 900.0)])
@pytest.mark.parametrize("n_mels", [0, 3])
def test_a_row_is_as_wide_as_its_analysis(
    sample_rate: int, bounds: tuple[float, float | None], n_mels: int
) -> None:
    config = SpectrogramConfig(
        kind="spectrogram",
        sample_rate=sample_rate,
        n_fft=1_000,
        n_mels=n_mels,
        min_frequency_hz=bounds[0],
        max_frequency_hz=bounds[1],
    )
    import torch

    assert row_width(config) == analysis(config).frames(torch.zeros(500)).shape[1]


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


def test_the_variants_of_a_file_replace_those_that_it_extends(tmp_path: Path) -> None:
    path = written(tmp_path, f"extends: {CONFIGS / 'demo.yaml'}\nvariants: {{only: {{}}}}")
    assert list(load_config(path).variants) == ["only"]


def test_the_problems_of_all_variants_are_said_at_once() -> None:
    said = refusal(overrides=["variants={a: {model.cell: rnn}, good: {}, b: {model.hiden_size: 3}}"])
    assert "variant a: 1 problem(s)" in said
    assert "model.cell = 'rnn'" in said
    assert "variant b: 1 problem(s)" in said
    assert "did you mean model.hidden_size?" in said
    assert "good" not in said
