"""The description, colour and tags of a run are what the MLflow UI reads, and hold no markup of others."""

from typing import Any

import pytest

from pipeline.tracking.pages.run_page import describe, page_tags, run_name

HEAD = {"mixture_components": 8, "covariance": "autoregressive"}
DESCRIPTION: dict[str, Any] = {
    "variant": "gru",
    "fingerprint": "0123456789abcdef",
    "config": {
        "name": "demo",
        "model": {"cell": "gru", "hidden_size": 227, "head": "gaussian_mixture", **HEAD},
        "input": {"kind": "waveform", "sample_rate": 16_000},
        "corpus": {"inputs": ["/home/me/speech"]},
    },
}


def test_figures_stand_in_a_table() -> None:
    status = {"status": "finished", "summary": {"test_bits_per_sample": 9.3612, "best_epoch": 8}}
    assert "| test | bits per sample | 9.361 |" in describe(DESCRIPTION, status)


@pytest.mark.parametrize(
    ("variant", "changes", "name"),
    [
        ("gru", {}, "gru 227, 8 autoregressive, demo"),
        ("demo", {"num_layers": 2}, "gru 2 x 227, 8 autoregressive, demo"),
        ("wide", {"parameter_budget": 169_000}, "wide: gru of 169,000 weights, 8 autoregressive, demo"),
        ("gru", {"head": "bernoulli"}, "gru 227, bernoulli, demo"),
    ],
)
def test_a_run_is_named_after_what_was_trained_on_what(
    variant: str, changes: dict[str, Any], name: str
) -> None:
    config = {**DESCRIPTION["config"], "model": {**DESCRIPTION["config"]["model"], **changes}}
    assert run_name({**DESCRIPTION, "variant": variant, "config": config}) == name


def test_the_papers_cells_have_colours_of_their_own() -> None:
    colours = {
        page_tags({**DESCRIPTION, "variant": cell}, {})["mlflow.runColor"] for cell in ("tanh", "gru", "lstm")
    }
    assert len(colours) == 3


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "[a](javascript:b)", "a | b\n# c"])
def test_names_are_text_and_never_markup(name: str) -> None:
    text = describe({**DESCRIPTION, "variant": name}, {"summary": {f"{name}_bits_per_sample": 1.0}})
    assert "<img" not in text
    assert "](" not in text
    assert "\n# c" not in text


def test_a_changed_checkout_is_noted_beside_the_commit() -> None:
    found = page_tags(DESCRIPTION, {"environment": {"commit": "0123456789ab-dirty"}})
    assert found["mlflow.source.git.commit"] == "0123456789ab"
    assert found["mlflow.source.git.dirty"] == "true"
