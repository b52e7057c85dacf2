"""What a configuration may hold: every key explained, and every problem said at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.inputs import SpectrogramConfig
from pipeline.config.loading import CONFIGS, load_config, variant_config
from pipeline.config.run import RunConfig
from pipeline.config.types import Section
from pipeline.features.representations import representation_of
from pipeline.features.spectrogram_frames import SpectrogramFrames
from tests.helpers.configurations import refusal, written

SHIPPED = sorted(CONFIGS.glob("*.yaml"))


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
    assert representation_of(config.input).row_width > 0
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
        ("train.learning_rate=.nan", "train.learning_rate = nan: Input should be a finite number"),
        ("train.seed=-1", "train.seed = -1: Input should be greater than or equal to 0"),
        ("model.cell=rnn", "model.cell = 'rnn': Input should be 'tanh', 'gru', 'lstm', 'chung2014-tanh'"),
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
    printed = refusal(overrides=[override])
    assert complaint in printed
    assert printed.startswith("--set ")
    assert "\n" not in printed


def test_all_problems_are_said_at_once() -> None:
    printed = refusal(
        overrides=["train.epochs=true", "model.cell=rnn", "train.epoch=3", "evaluate.split=dev", "nonsense=1"]
    )
    problems = printed.removeprefix("--set ").split("; ")
    keys = [problem.split()[0].rstrip(":") for problem in problems if not problem.startswith("did you mean")]
    assert sorted(keys) == ["evaluate.split", "model.cell", "nonsense", "train.epoch", "train.epochs"]
    assert "did you mean train.epochs?" in printed


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


# Spectrograms


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

    assert (
        representation_of(config).row_width
        == SpectrogramFrames(config).analysis.frames(torch.zeros(500)).shape[1]
    )
