"""Parts of a configuration that do not fit each other, and lists of layers, are answered with the rule."""

import pytest

from pipeline.config.loading import load_config, variant_config
from pipeline.config.promotion import PromotionConfig
from tests.helpers.configurations import refusal

NOTES = ["input.kind=piano-roll", "model.head=nade"]
MISFITS = {
    "model.head=gaussian_mixture is for waveform and spectrogram; for piano-roll take bernoulli or nade": [
        ["model.head=bernoulli"],
        ["model.head=nade", "input.kind=spectrogram"],
        ["input.kind=piano-roll"],
    ],
    "model.covariance=autoregressive is for input.kind=waveform": [
        ["model.covariance=autoregressive", "input.kind=spectrogram"],
        ["model.covariance=autoregressive", *NOTES],
    ],
    "model.companding is for input.kind=waveform and a predictor without convolutions": [
        ["model.companding=true", "input.kind=spectrogram"],
        ["model.companding=true", "model.architecture=encoder-decoder"],
        ["model.companding=true", "model.convolutions=[[8, 4, 2]]"],
    ],
    "train.loss=discrete is for input.kind=waveform": [
        ["train.loss=discrete", "input.kind=spectrogram"],
        ["train.loss=discrete", *NOTES],
    ],
    "model.architecture=encoder-decoder takes no model.convolutions": [
        ["model.architecture=encoder-decoder", "model.convolutions=[[8, 4, 2]]"],
    ],
    "train.scheduled_sampling is for model.architecture=encoder-decoder": [["train.scheduled_sampling=0.5"]],
}
NOTE_MISFITS = {
    "train.transpose_semitones is for input.kind=piano-roll": [["train.transpose_semitones=5"]],
}
ADAPTIVE_MISFITS = {
    "model.head=adaptive is for input.kind=waveform": [
        ["model.head=adaptive", "samples.count=0", "input.kind=spectrogram"],
    ],
    "model.head=adaptive takes a predictor without model.convolutions and model.companding": [
        ["model.head=adaptive", "samples.count=0", "model.companding=true"],
        ["model.head=adaptive", "samples.count=0", "model.architecture=encoder-decoder"],
        ["model.head=adaptive", "samples.count=0", "model.convolutions=[[8, 4, 2]]"],
    ],
    "model.head=adaptive draws nothing: it takes samples.count=0 and no evaluate.horizons": [
        ["model.head=adaptive"],
        ["model.head=adaptive", "samples.count=0", "evaluate.horizons=[1]"],
    ],
}
CASES = [
    (rule, each) for rule, cases in (MISFITS | NOTE_MISFITS | ADAPTIVE_MISFITS).items() for each in cases
]


@pytest.mark.parametrize(("rule", "overrides"), CASES, ids=str)
def test_parts_that_do_not_fit_are_refused_with_the_rule_that_they_break(
    rule: str, overrides: list[str]
) -> None:
    assert refusal(overrides=overrides) == f"--set {rule}"


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.companding=true", "model.covariance=autoregressive", "train.loss=discrete"],
        ["model.architecture=encoder-decoder", "train.scheduled_sampling=1.0", "train.loss=discrete"],
        ["input.kind=spectrogram", "model.covariance=full", "model.convolutions=[[8, 4, 2]]"],
        ["model.head=adaptive", "samples.count=0", "train.loss=discrete", "model.cell=lstm"],
        [*NOTES, "model.architecture=encoder-decoder", "model.attention_steps=3"],
    ],
    ids=str,
)
def test_parts_that_fit_are_taken(overrides: list[str]) -> None:
    load_config(overrides=overrides)


def test_all_rules_that_are_broken_are_said_at_once() -> None:
    printed = refusal(
        overrides=[
            "input.kind=piano-roll",
            "model.covariance=autoregressive",
            "model.companding=true",
            "model.architecture=encoder-decoder",
            "model.convolutions=[[8, 4, 2]]",
            "train.loss=discrete",
        ]
    )
    *broken, fitting = MISFITS
    assert all(rule in printed for rule in broken)
    assert fitting not in printed


def test_every_variant_that_does_not_fit_is_named_with_its_rule() -> None:
    variants = (
        "{fits: {model.covariance: full}, a: {model.head: nade}, b: {train.scheduled_sampling: 0.5, "
        "model.architecture: encoder-decoder, model.convolutions: [[8, 4, 2]]}}"
    )
    assert refusal(overrides=[f"variants={variants}"]) == (
        "variant a: model.head=gaussian_mixture is for waveform and spectrogram; for piano-roll take "
        "bernoulli or nade; variant b: model.architecture=encoder-decoder takes no model.convolutions"
    )


def test_scheduled_sampling_needs_steps_that_see_the_step_before() -> None:
    """It is reported with the configuration, not by a traceback when training begins."""
    overrides = ["model.architecture=encoder-decoder", "train.scheduled_sampling=0.5"]
    load_config(overrides=[*overrides, "input.window=10"])
    assert "train.scheduled_sampling" in refusal(overrides=[*overrides, "input.window=9"])


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("steps_per_quarter", "input.steps_per_quarter = 0: Input should be greater than 0"),
        ("steps_per_quarer", "input.steps_per_quarer: unknown key; did you mean input.steps_per_quarter?"),
        ("sample_rate", "input.sample_rate: unknown key; sample_rate is for another input.kind"),
    ],
)
def test_the_keys_of_notes_are_named_as_they_are_written(key: str, complaint: str) -> None:
    assert refusal(overrides=[*NOTES, f"input.{key}=0"]) == f"--set {complaint}"


# Lists of layers


def test_convolutions_are_set_from_the_command_line_and_in_variants() -> None:
    assert load_config(overrides=["model.convolutions=[[64,4,2]]"]).model.convolutions == [[64, 4, 2]]
    two = load_config(overrides=["model.convolutions=[[64, 4, 2], [32, 3, 1]]"])
    assert two.model.convolutions == [[64, 4, 2], [32, 3, 1]]
    config = load_config(overrides=["variants={deep: {model.convolutions: [[64,4,2],[8,3,1]]}, bare: {}}"])
    assert variant_config(config, "deep").model.convolutions == [[64, 4, 2], [8, 3, 1]]
    assert variant_config(config, "bare").model.convolutions == []


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("[[64, 4]]", "model.convolutions.0 = [64, 4]: List should have at least 3 items"),
        ("[[64, 4, 2, 1]]", "model.convolutions.0 = [64, 4, 2, 1]: List should have at most 3 items"),
        ("[[64, 4, 0]]", "model.convolutions.0.2 = 0: Input should be greater than 0"),
        ("8", "model.convolutions = 8: Input should be a valid list"),
    ],
)
@pytest.mark.parametrize("in_variant", [False, True])
def test_a_wrong_convolution_is_refused_in_one_readable_line(
    value: str, complaint: str, in_variant: bool
) -> None:
    key = (
        f"variants={{deep: {{model.convolutions: {value}}}}}" if in_variant else f"model.convolutions={value}"
    )
    printed = refusal(overrides=[key])
    assert printed.startswith(f"variant deep: {complaint}" if in_variant else f"--set {complaint}")
    assert "\n" not in printed


NO_NUMBER = "[[8, 3, 1], [64, four, 2]]"


@pytest.mark.parametrize(
    "override",
    [
        f"model.convolutions={NO_NUMBER}",
        pytest.param(
            f"variants={{deep: {{model.convolutions: {NO_NUMBER}}}}}",
        ),
    ],
)
def test_what_is_no_number_in_a_convolution_is_said_once(override: str) -> None:
    printed = refusal(overrides=[override])
    assert printed.endswith(" model.convolutions.1.1 = 'four': Input should be a valid integer")
    assert printed.count("four") == 1


def test_a_number_of_groups_of_any_size_is_read() -> None:
    """Found by mutation: the power of an integer of thirty digits overflows."""
    assert PromotionConfig(fewest_groups=10**30).fewest_groups == 10**30
